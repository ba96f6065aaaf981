//! A program started by a relative path, from a working directory that was changed by descriptor.
//!
//! Permission events show the whole path. An observer that tracks working directories by the argument of chdir(2) loses
//! the process here: fchdir(2) gets a number.
//!
//! See fchdir(2); `start/relative_path`.

use std::fs::File;

use nix::unistd::fchdir;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by a relative path after fchdir",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("../bin/./true")?;
    system.observe(&exec.before(|| Ok(fchdir(File::open("/usr/lib")?)?)))?;
    Ok(())
}
