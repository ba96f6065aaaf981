//! An exec of a path that is not there: ENOENT, and no step.
//!
//! There is no file to open. An observer of opened files does not hear of the attempt; an observer of the call itself
//! does.
//!
//! See execve(2), ENOENT.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a path that is not there: ENOENT",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.observe(&Exec::path("/tmp/none")?)?;
    Ok(())
}
