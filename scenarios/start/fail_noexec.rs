//! An exec on a mount with `noexec`: EACCES, and no step.
//!
//! The flag belongs to the mount, not to the file system: the same file is executable through another
//! mount. Refused by `path_noexec` in `do_open_execat` (fs/exec.c) or, on newer kernels, in `may_open`
//! (fs/namei.c, since [c:noexec-early]).
//!
//! See mount(2), `MS_NOEXEC`.

use nix::mount::{MsFlags, mount};

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec on a mount without execution",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let place = stage.directory("noexec")?;
    stage.copy("/usr/bin/busybox", "tools/busybox")?;
    let none = None::<&str>;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOEXEC;
    stage.bind("/tmp/tools", &place)?;
    mount(none, &place, none, flags, none)?;
    stage.observe(&Exec::path("/tmp/noexec/busybox")?)?;
    Ok(())
}
