//! A program started by a second name of the same file.
//!
//! Events and exe show the name that was used: an observer of paths sees another program. The inode tells that it is
//! the same file.
//!
//! See link(2).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by a hard link",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.copy("/usr/bin/true", "first")?;
    std::fs::hard_link(program, "/tmp/second")?;
    system.observe(&Exec::path("/tmp/second")?)?;
    Ok(())
}
