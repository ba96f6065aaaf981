//! What a program is told in another root.
//!
//! `AT_EXECFN` is the path as it was given, below the new root. The program has no link to read its exe by:
//! there is no `/proc` in this root. The events, read from outside, show the whole path.
//!
//! See chroot(2).

use nix::unistd::chroot;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told in another root",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("root/program")?;
    let exec = Exec::path("/program")?.role(Role::Report)?;
    system.observe(&exec.before(|| Ok(chroot("/tmp/root")?)))?;
    Ok(())
}
