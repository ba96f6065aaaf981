//! Kernel memory that a start cannot have: a cgroup of version 2 whose limit is nothing.
//!
//! What is accounted to a group over its limit fails where nobody in it may be killed to make room (`try_charge_memcg` in
//! mm/memcontrol.c), and the only process of this one may not be.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, Result};
use nix::errno::Errno;

use super::System;
use crate::sys;

const GROUP: &str = "/tmp/groups/short";

/// Has such a group be there, whose memory is not limited yet.
///
/// # Errors
///
/// It cannot be made.
pub fn make_memory_group(system: &mut System) -> Result<()> {
    let groups = system.directory("groups")?;
    system.mount("cgroup2", "none", &groups, "")?;
    fs::write(groups.join("cgroup.subtree_control"), "+memory")
        .context("failed to have groups account memory")?;
    match fs::create_dir(GROUP) {
        // A scenario that did not come to its end has left it.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).context("failed to make a group")
        }
        _ => Ok(()),
    }
}

/// Removes the group, which is empty by now: it would outlive its mount.
///
/// # Errors
///
/// It has processes.
pub fn remove_memory_group() -> Result<()> {
    fs::remove_dir(GROUP).context("failed to remove a group")
}

/// The caller enters the group: not to be killed for its memory, and with all that it has of it in its place.
///
/// # Errors
///
/// What one of the steps says.
pub fn enter_memory_group() -> Result<()> {
    fs::write("/proc/self/oom_score_adj", "-1000").context("failed to be spared")?;
    fs::write(format!("{GROUP}/cgroup.procs"), "0").context("failed to enter a group")?;
    sys::lock_present().context("failed to lock memory")
}

/// Makes a call, in the group, for which the kernel has no memory.
///
/// # Errors
///
/// What the call says.
pub fn without_memory(call: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    // Opened before: there is none for this later.
    let limit = File::options()
        .write(true)
        .open(format!("{GROUP}/memory.max"));
    let mut limit = limit.map_err(broken)?;
    limit.write_all(b"0").map_err(broken)?;
    let result = call();
    limit.write_all(b"max").map_err(broken)?;
    result
}

/// An errno that no exec has, so that nobody takes it for one.
fn broken(_: std::io::Error) -> Errno {
    Errno::EBADMSG
}
