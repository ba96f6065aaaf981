//! What a program is told when it is executed by a hard link: all names are the link's, and nothing
//! is left of the first one.
//!
//! See `start/hard_link` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told that was executed by a hard link",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    std::fs::hard_link(program, "/tmp/second")?;
    system.observe(&Exec::path("/tmp/second")?.role(Role::Report)?)?;
    Ok(())
}
