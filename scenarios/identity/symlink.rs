//! What a program is told when it is executed by a symlink.
//!
//! `AT_EXECFN` and comm are the link's, exe is the target's. A multi-call program such as busybox goes by argv[0], which the
//! caller chooses.
//!
//! See `start/symlink` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "by a symlink: AT_EXECFN and comm are the link's, exe the target's",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("program")?;
    let link = system.link("program", "link")?;
    system.observe(&Exec::path(link)?.role(Role::Report)?)?;
    Ok(())
}
