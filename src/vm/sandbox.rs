//! What QEMU may not do on the host.
//!
//! A guest is a kernel that somebody gave us, and QEMU has had bugs by which a guest gets out. It
//! runs under its own seccomp filter, and without KVM not as root where we are root.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use nix::unistd::{Gid, Uid, fchown, geteuid};

use super::accel::Accel;

/// The filter of qemu(1): no program is started, no privilege won, no obsolete call made.
const FILTER: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// A user and group that own nothing; not 65534 (`DEFAULT_OVERFLOWUID`), whose processes a scenario of the native lab counts.
const NOBODY: u32 = 64534;

/// The options for QEMU; none where the kernel has no filters. A QEMU that was built without them says so and does not start.
pub fn options() -> &'static [&'static str] {
    match Path::new("/proc/sys/kernel/seccomp").exists() {
        true => &["-sandbox", FILTER],
        false => &[],
    }
}

/// Whether QEMU is nobody while we are root.
///
/// Not so under KVM, whose device may be root's and its group's alone, and where nobody is no user of our user namespace.
pub fn drops_root(accel: Accel) -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    let possible =
        || geteuid().is_root() && std::io::pipe().is_ok_and(|(pipe, _)| give(&pipe).is_ok());
    accel == Accel::Tcg && *POSSIBLE.get_or_init(possible)
}

/// Makes a command run as nobody, who is given this pipe: it is opened again by its number.
///
/// # Errors
///
/// What fchown(2) says.
pub fn drop_root(command: &mut Command, pipe: &impl AsFd) -> Result<()> {
    // The standard library gives up the further groups as well.
    command.uid(NOBODY).gid(NOBODY);
    give(pipe).context("failed to give a pipe to nobody")
}

fn give(pipe: &impl AsFd) -> nix::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    fchown(pipe.as_fd(), Some(user), Some(group))
}
