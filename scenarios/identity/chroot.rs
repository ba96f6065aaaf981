//! What a program is told in another root.
//!
//! `AT_EXECFN` is the path as it was given, below the new root. This root has no `/proc`, so the program has no link to read its
//! exe by. The events, read from outside, show the whole path.
//!
//! See chroot(2).

use nix::unistd::chroot;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program in a chroot is told its path below the new root",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("root/program")?;
    let exec = Exec::path("/program")?.role(Role::Report)?;
    system.observe(&exec.before(|| Ok(chroot("/tmp/root")?)))?;
    Ok(())
}
