//! A program started by a symbolic link.
//!
//! The kernel follows the link before anybody is asked: events and exe show the target. comm is the
//! name of the link, as it was in the path.
//!
//! See path_resolution(7); `begin_new_exec` for comm.

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "program by a symbolic link",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let link = stage.link("/usr/bin/true", "link")?;
    stage.observe(&Exec::path(link)?)?;
    Ok(())
}
