//! Needs that several scenarios share.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

pub use crate::need::needs::*;
use crate::need::{Host, Need};
use crate::trail::LabKind;

/// A permission event can be refused with another errno than EPERM.
///
/// Commit b4b2ff4f61de ("fanotify: allow to set errno in FAN_DENY permission response").
pub const DENY_ERRNO: Need = Need {
    what: "FAN_DENY_ERRNO",
    host: Host::Since(&["6.14"]),
    probe: |_| crate::observer::fanotify::can_deny_with_errno(),
};

/// Calls of the kernel's functions can be counted by perf_event_open(2).
pub const KPROBE_COUNTS: Need = Need {
    what: "kprobes by perf_event_open(2) (CONFIG_KPROBE_EVENTS)",
    host: Host::Config("CONFIG_KPROBE_EVENTS"),
    probe: |_| kprobe_source().is_ok(),
};

/// The number by which perf_event_open(2) knows kprobes.
///
/// # Errors
///
/// The kernel has none, or nothing is mounted at `/sys`.
pub fn kprobe_source() -> anyhow::Result<u32> {
    const KIND: &str = "/sys/bus/event_source/devices/kprobe/type";
    let kind = fs::read_to_string(KIND).with_context(|| format!("failed to read {KIND}"))?;
    kind.trim().parse().context("failed to read a number")
}

/// Entries of binfmt_misc that are transparent, or take the ELF interpreter's place.
pub const BINFMT_MISC_LOADER: Need = Need {
    what: "transparent and loader entries of binfmt_misc",
    host: Host::Both(&Host::Config("CONFIG_BINFMT_MISC"), &Host::Since(&["7.3"])),
    probe: |lab| lab == LabKind::Vm && knows_format("M::EXETRAIL-PROBE::/usr/bin/true:T"),
};

/// Whether binfmt_misc would take a rule, without its name; nothing is left of it.
fn knows_format(rule: &str) -> bool {
    const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
    let kind = Some("binfmt_misc");
    let register = Path::new(FORMATS).join("register");
    let mounted =
        !register.exists() && mount(kind, FORMATS, kind, MsFlags::empty(), None::<&str>).is_ok();
    let known = fs::write(register, format!(":probe:{rule}")).is_ok()
        && fs::write(Path::new(FORMATS).join("probe"), "-1").is_ok();
    if mounted {
        // A scenario that mounts it itself does not mind another one below.
        let _ = umount2(FORMATS, MntFlags::MNT_DETACH);
    }
    known
}
