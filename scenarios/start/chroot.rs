//! A program started by a process that has changed its root.
//!
//! Path and exe in the trail are relative to the root of the monitor, so that they show the whole path from there. The
//! process itself would say `/busybox`. To a monitor whose root is `/tmp` the same event would be of `/root/busybox`.
//!
//! See chroot(2); `d_path` in fs/d_path.c.

use nix::unistd::chroot;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started in another root",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/usr/bin/busybox", "root/busybox")?;
    let exec = Exec::path("/busybox")?.argv(&["busybox", "true"])?;
    system.observe(&exec.before(|| Ok(chroot("/tmp/root")?)))?;
    Ok(())
}
