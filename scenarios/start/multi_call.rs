//! A program that is many, started by the link of one: busybox as `true`.
//!
//! In the trail exe and path are busybox's, whichever of its commands runs; what it does is decided by argv[0] here.
//! That is the path of the link, whose name shows in comm; a caller may give another. A policy by exe, or
//! by the path of the event, allows all of its commands or none.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "multi-call program by a symbolic link",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let link = system.link("/usr/bin/busybox", "true")?;
    system.observe(&Exec::path(link)?)?;
    Ok(())
}
