//! A multi-call program, started by a hard link to it: busybox as `true`.
//!
//! exe and path are the link's: a hard link is another name of the file, and the kernel prints the name that was
//! opened. An observer that goes by `/usr/bin/busybox` does not see it; one that goes by the inode does.
//!
//! See link(2); `start/multi_call` for a symbolic link.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "multi-call program started by a hard link",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    std::fs::hard_link("/usr/bin/busybox", "/tmp/true")?;
    system.observe(&Exec::path("/tmp/true")?)?;
    Ok(())
}
