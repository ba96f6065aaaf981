//! An exec with one argument of more than 128 KiB: E2BIG.
//!
//! The program is opened before the arguments are copied, so that a policy has answered for a start
//! that then fails (`copy_strings` in fs/exec.c, `MAX_ARG_STRLEN`).
//!
//! See execve(2), "Limits on size of arguments and environment".

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec with an argument that is too long",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    stage.observe(&exec.arg(&"x".repeat(1 << 17))?)?;
    Ok(())
}
