//! A program started by a symlink.
//!
//! The kernel follows the link before it asks any listener: events and exe show the target. comm is the name of the
//! link, as it was in the path.
//!
//! See path_resolution(7); `begin_new_exec` for comm.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by a symlink",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let link = system.link("/usr/bin/true", "link")?;
    system.observe(&Exec::path(link)?)?;
    Ok(())
}
