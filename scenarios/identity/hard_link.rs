//! What a program is told when it is executed by a hard link.
//!
//! All names are the link's, and nothing is left of the first one.
//!
//! See `start/hard_link` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program executed by a hard link is told the link's name alone",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    std::fs::hard_link(program, "/tmp/second")?;
    system.observe(&Exec::path("/tmp/second")?.role(Role::Report)?)?;
    Ok(())
}
