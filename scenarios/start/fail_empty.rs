//! An exec of an empty file: ENOEXEC, after both events.
//!
//! The kernel has opened it by the time it finds nothing in it; no format takes it.
//!
//! See execve(2), ENOEXEC.

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of an empty file",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let file = stage.file("empty", b"", 0o755)?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
