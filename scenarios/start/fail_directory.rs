//! An exec of a directory: EACCES, and no step.
//!
//! `may_open` (fs/namei.c) refuses a directory that is to be executed (`S_IFDIR`, `MAY_EXEC` in `acc_mode`) before it
//! is opened: there is no permission event.
//!
//! See execve(2), EACCES.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a directory: EACCES",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.observe(&Exec::path("/usr/bin")?)?;
    Ok(())
}
