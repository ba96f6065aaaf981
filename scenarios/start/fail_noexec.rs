//! An exec on a mount with `noexec`: EACCES, and no step.
//!
//! The flag belongs to the mount, not to the file system: the same file may be executable through another mount.
//!
//! `path_noexec` in `may_open` (fs/namei.c) refuses the exec, since [c:noexec-early], on all kernels of the table.
//! Before that the refusal was in `do_open_execat` (fs/exec.c), when the file was open.
//!
//! See mount(2), `MS_NOEXEC`.

use nix::mount::{MsFlags, mount};

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec on a mount with noexec: EACCES",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let place = system.directory("noexec")?;
    system.copy("/usr/bin/busybox", "tools/busybox")?;
    let none = None::<&str>;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOEXEC;
    system.bind("/tmp/tools", &place)?;
    mount(none, &place, none, flags, none)?;
    system.observe(&Exec::path("/tmp/noexec/busybox")?)?;
    Ok(())
}
