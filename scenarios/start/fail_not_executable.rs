//! An exec of a file that nobody may execute: EACCES, and no step, even for root.
//!
//! The kernel checks the mode before the open (`may_open`, `inode_permission`), and so before fanotify. That order does
//! not hold where a file system opens at once what it looks up (`gfs2_atomic_open`).
//!
//! See execve(2), EACCES.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a file without the x bit: EACCES",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("data", b"#!/usr/bin/true\n", 0o644)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
