//! A multi-call program, started from a copy of it: busybox as `true`.
//!
//! exe and path are the copy's. Neither path nor inode of an event says that it is busybox: they differ from busybox's;
//! the contents are the same.
//!
//! See `start/multi_call` for a symbolic link.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "multi-call program started from a copy",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let copy = system.copy("/usr/bin/busybox", "true")?;
    system.observe(&Exec::path(copy)?)?;
    Ok(())
}
