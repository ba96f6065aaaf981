//! What a program is told in another root.
//!
//! `AT_EXECFN` is the path as it was given, below the new root. The program cannot ask for its exe:
//! there is no `/proc` in this root. The events, read from outside, show the whole path.
//!
//! See chroot(2).

use nix::unistd::chroot;

use crate::scenario::{Exec, Role, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told in another root",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.ours("root/program")?;
    let exec = Exec::path("/program")?.role(Role::Report)?;
    stage.observe(&exec.before(|| Ok(chroot("/tmp/root")?)))?;
    Ok(())
}
