//! A program by a relative path, from another working directory.
//!
//! Permission events show the whole path, and not what was typed: the kernel puts it together from the names of the directories
//! and mounts that the walk ended at (`d_path`). comm is the last part of what was typed.
//!
//! See path_resolution(7).

use nix::unistd::chdir;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "relative path with a changed directory",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("../bin/./true")?;
    system.observe(&exec.before(|| Ok(chdir("/usr/lib")?)))?;
    Ok(())
}
