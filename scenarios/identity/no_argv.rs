//! What a program is told that was executed with an empty list of arguments.
//!
//! Finding: kernels with commit dcd46d897adb ("exec: Force single empty string when argv is empty",
//! 5.18, carried back to stable ones) put one empty argument there; before, argv[0] was a null
//! pointer and the first variable of the environment came where a careless program looks for
//! argv[1] (CVE-2021-4034, "pwnkit").
//!
//! See execve(2), NOTES.

use crate::scenario::{Exec, Role, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told that was given no arguments at all",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = stage.ours("program")?;
    stage.observe(&Exec::path(program)?.argv(&[])?.role(Role::Report)?)?;
    Ok(())
}
