//! A program that is many, started from a copy of it: busybox as `true`.
//!
//! exe and path are the copy's. Path and inode of an event do not say that it is busybox: they are others, the
//! contents are the same.
//!
//! See `start/multi_call` for a symbolic link.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "copy of a multi-call program",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let copy = system.copy("/usr/bin/busybox", "true")?;
    system.observe(&Exec::path(copy)?)?;
    Ok(())
}
