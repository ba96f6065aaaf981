//! A program started by a relative path, from another working directory.
//!
//! Permission events show the whole path, not the one that was typed. The kernel puts it together from the names of the
//! directories and mounts at which the walk ended (`d_path`). comm is the last component of what was typed.
//!
//! See path_resolution(7).

use nix::unistd::chdir;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by a relative path after chdir",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("../bin/./true")?;
    system.observe(&exec.before(|| Ok(chdir("/usr/lib")?)))?;
    Ok(())
}
