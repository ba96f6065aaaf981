//! What QEMU may do on the host: no more than to run a machine.
//!
//! A guest is a kernel that somebody gave us, and QEMU has had bugs by which a guest gets out. It
//! runs under its own seccomp filter, and not as root where we are root.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::{Gid, Uid, fchown, geteuid};

use crate::arch::QEMU;

/// The filter of qemu(1): no program is started, no privilege won, no obsolete call made.
const FILTER: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// The user and group `nobody`, which own nothing (`DEFAULT_OVERFLOWUID` of include/linux/highuid.h).
const NOBODY: u32 = 65534;

/// The options for QEMU; none for one that was built without the filter.
pub fn options() -> &'static [&'static str] {
    static FILTERED: OnceLock<bool> = OnceLock::new();
    let filtered = FILTERED.get_or_init(|| {
        // An option that it does not have ends it before it says its version.
        let mut command = Command::new(QEMU);
        command.args(["-sandbox", FILTER, "-version"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    match filtered {
        true => &["-sandbox", FILTER],
        false => &[],
    }
}

/// Makes a command run as nobody where we are root; `pipes` are those that it opens again by their
/// number, and become nobody's with it.
///
/// We stay root where nobody is no user of our user namespace, which the pipes show.
pub fn drop_root(command: &mut Command, pipes: &[&dyn AsFd]) {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let ours = |pipe: &&dyn AsFd| fchown(pipe.as_fd(), Some(user), Some(group)).is_ok();
    if geteuid().is_root() && pipes.iter().all(ours) {
        // The standard library gives up the further groups as well.
        command.uid(NOBODY).gid(NOBODY);
    }
}
