//! What a program is told when it is executed by a symbolic link.
//!
//! `AT_EXECFN` and comm are the link's, exe is the target's. A multi-call program such as busybox goes by argv[0],
//! which is the caller's to choose.
//!
//! See `start/symlink` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told that was executed by a symbolic link",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("program")?;
    let link = system.link("program", "link")?;
    system.observe(&Exec::path(link)?.role(Role::Report)?)?;
    Ok(())
}
