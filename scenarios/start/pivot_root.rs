//! A program started in a mount namespace whose root is another mount, as in a container.
//!
//! The new root is a bind mount of a directory that the scenario makes in `/tmp`. The monitor is in another namespace.
//! It reaches that mount through the process (`/proc/PID/root`), and none of its own mounts is that one: the kernel
//! prints the path from the root of the other namespace, `/busybox`. An observer that takes it for a path of its own
//! can find another file, and here finds none.
//!
//! See pivot_root(2); `prepend_path` in fs/d_path.c.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started after pivot_root",
    root: Some("/tmp/root"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/usr/bin/busybox", "root/busybox")?;
    system.directory("root/old")?;
    let exec = Exec::path("/busybox")?
        .argv(&["busybox", "true"])?
        .before(|| {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let (none, root) = (None::<&str>, "/tmp/root");
            mount(Some(root), root, none, MsFlags::MS_BIND, none)?;
            pivot_root(root, "/tmp/root/old")?;
            Ok(chdir("/")?)
        });
    system.observe(&exec)?;
    Ok(())
}
