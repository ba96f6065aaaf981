//! A program started by a relative path, from a working directory that was reached by a symlink.
//!
//! The link leads to `/usr/lib`, and `..` is the parent of that (path_resolution(7)). An observer that appends the path
//! to the argument of chdir(2), and drops a name for each `..`, comes to `/tmp/bin/true`.
//!
//! See chdir(2); `start/relative_path`.

use nix::unistd::chdir;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by a relative path after chdir through a symlink",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let link = system.link("/usr/lib", "here")?;
    let exec = Exec::path("../bin/true")?;
    system.observe(&exec.before(move || Ok(chdir(&link)?)))?;
    Ok(())
}
