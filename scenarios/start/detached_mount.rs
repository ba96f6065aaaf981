//! A program on a clone of a mount; the clone was never attached anywhere.
//!
//! The clone is alone in an anonymous namespace (`alloc_mnt_ns` in fs/namespace.c). The mark on the file system sees
//! the program. The path of the event begins at the root of the detached mount: it shows `/true` where the file is
//! `/usr/bin/true`, and so does exe. A policy by these paths mistakes the program for a file in the root directory.
//!
//! See `OPEN_TREE_CLONE` in include/uapi/linux/mount.h; `prepend_path` in fs/d_path.c.

use std::os::fd::AsFd as _;

use crate::scenario::{Exec, Scenario, System};
use crate::sys::{clone_mount, place_fd};

pub const SCENARIO: Scenario = Scenario {
    summary: "program on a mount that was never attached",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::at("execveat", "detached mount 5, true", 5, c"true", 0)?;
    let exec = exec.before(|| {
        let mount = clone_mount(c"/usr/bin")?;
        place_fd(mount.as_fd(), 5)?;
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}
