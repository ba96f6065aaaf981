//! An exec of a directory: EACCES, and no step.
//!
//! `do_open_execat` asks for a regular file (`MAY_EXEC` with `acc_mode`, `S_ISREG`) before it opens
//! anything, so that no permission event is made.
//!
//! See execve(2), EACCES.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a directory",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.observe(&Exec::path("/usr/bin")?)?;
    Ok(())
}
