//! A program by a relative path, from a working directory that was reached by a link.
//!
//! The link leads to `/usr/lib`, and `..` is the parent of that (path_resolution(7)). Who puts the path
//! behind what chdir(2) was given, and takes names away for each `..`, comes to `/tmp/bin/true`.
//!
//! See chdir(2); `start/relative_path`.

use nix::unistd::chdir;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "relative path from a directory behind a link",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let link = system.link("/usr/lib", "here")?;
    let exec = Exec::path("../bin/true")?;
    system.observe(&exec.before(move || Ok(chdir(&link)?)))?;
    Ok(())
}
