//! An exec with one argument of 128 KiB: E2BIG.
//!
//! Finding: since [c:open-first] the kernel opens the program, and asks permission for it, before it looks at the
//! arguments: a policy answers for a start that then fails. Before, the kernel copied the arguments first, and there
//! was no step.
//!
//! See [c:execve-limits]; `copy_strings` in fs/exec.c, `MAX_ARG_STRLEN`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec with an argument that is too long: E2BIG",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    system.observe(&exec.arg(&"x".repeat(1 << 17))?)?;
    Ok(())
}
