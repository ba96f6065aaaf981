//! A program by a relative path, from another working directory.
//!
//! Permission events show the whole path, whatever was typed: the kernel prints where the file is, not
//! how it was reached. comm is the last part of what was typed.
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
