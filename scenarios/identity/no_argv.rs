//! What a program is told when it is executed with an empty list of arguments.
//!
//! Kernels with [c:empty-argv] (backported to 5.10.110 and other stable series) put one empty argument there. Before, argv[0] was
//! a null pointer, and the first variable of the environment came where a careless program looks for argv[1] (CVE-2021-4034,
//! "pwnkit"). Every kernel of the table has the commit; this scenario would show one without it.
//!
//! See execve(2), VERSIONS.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "an empty list of arguments becomes one empty argument",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    system.observe(&Exec::path(program)?.argv(&[])?.role(Role::Report)?)?;
    Ok(())
}
