//! An exec of an empty file: ENOEXEC, after both events.
//!
//! The kernel has opened the file by the time it finds nothing in it. No format takes the file here; one of binfmt_misc
//! could, by an extension.
//!
//! See execve(2), ENOEXEC.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of an empty file: ENOEXEC",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("empty", b"", 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
