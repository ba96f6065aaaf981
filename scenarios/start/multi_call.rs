//! A multi-call program, started by the symlink of one of its commands: busybox as `true`.
//!
//! In the trail exe and path are busybox's, whichever command runs. Here argv[0] decides which one does: it is the path
//! of the link, whose name shows in comm. A caller may give another argv[0]. A policy by exe, or by the path of the
//! event, allows all of busybox's commands or none.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "multi-call program started by a symlink",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let link = system.link("/usr/bin/busybox", "true")?;
    system.observe(&Exec::path(link)?)?;
    Ok(())
}
