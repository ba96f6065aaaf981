//! Words of a case that stand for numbers of the kernel's interface.

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::Resource;

use crate::sys::{AT_EXECVE_CHECK, FileCapabilities};

/// The number of a flag of execveat(2), by its name or as a number.
#[must_use]
pub fn flag(word: &str) -> Option<i32> {
    match word {
        "AT_EMPTY_PATH" => Some(libc::AT_EMPTY_PATH),
        "AT_SYMLINK_NOFOLLOW" => Some(libc::AT_SYMLINK_NOFOLLOW),
        "AT_EXECVE_CHECK" => Some(AT_EXECVE_CHECK),
        number => match number.strip_prefix("0x") {
            Some(digits) => i32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        },
    }
}

/// The names that [`flag`] knows.
pub const FLAGS: &str = "AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, AT_EXECVE_CHECK";

/// A limit of getrlimit(2) by its name in lower case, without `RLIMIT_`.
#[must_use]
pub fn limit(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::RLIMIT_AS,
        "core" => Resource::RLIMIT_CORE,
        "cpu" => Resource::RLIMIT_CPU,
        "data" => Resource::RLIMIT_DATA,
        "fsize" => Resource::RLIMIT_FSIZE,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        "nofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "stack" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}

/// The names that [`limit`] knows.
pub const LIMITS: &str = "as, core, cpu, data, fsize, memlock, nofile, nproc, stack";

/// An errno by its name: one that fanotify(7) takes for a refusal.
#[must_use]
pub fn errno(name: &str) -> Option<Errno> {
    Some(match name {
        "EPERM" => Errno::EPERM,
        "EIO" => Errno::EIO,
        "EBUSY" => Errno::EBUSY,
        "ETXTBSY" => Errno::ETXTBSY,
        "EAGAIN" => Errno::EAGAIN,
        "ENOSPC" => Errno::ENOSPC,
        "EDQUOT" => Errno::EDQUOT,
        _ => return None,
    })
}

/// The names that [`errno`] knows.
pub const ERRNOS: &str = "EPERM, EIO, EBUSY, ETXTBSY, EAGAIN, ENOSPC, EDQUOT";

/// The number of a capability by its name in lower case, without `CAP_` (linux/capability.h).
#[must_use]
pub fn capability(name: &str) -> Option<u64> {
    let place = CAPABILITIES.iter().position(|known| *known == name)?;
    Some(place as u64)
}

/// The sets of a file that a word names: `net_raw`, which is permitted and effective, or with the sets after a
/// plus, as in `net_raw+ei` (cap_text_formats(7)).
#[must_use]
pub fn file_capability(word: &str) -> Option<FileCapabilities> {
    let (name, sets) = word.split_once('+').unwrap_or((word, "ep"));
    let bit = 1 << capability(name)?;
    let set = |letter| if sets.contains(letter) { bit } else { 0 };
    let known = !sets.is_empty() && sets.chars().all(|letter| "eip".contains(letter));
    known.then(|| FileCapabilities {
        permitted: set('p'),
        inheritable: set('i'),
        effective: sets.contains('e'),
    })
}

/// Capabilities in the order of their numbers.
pub const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_of_the_interface() {
        assert_eq!(flag("AT_EMPTY_PATH"), Some(0x1000));
        assert_eq!(flag("0x40000000"), Some(0x4000_0000));
        assert_eq!(flag("AT_FDCWD"), None);
        assert_eq!(
            (capability("net_raw"), capability("bpf")),
            (Some(13), Some(39))
        );
    }

    #[test]
    fn a_capability_of_a_file_is_in_the_sets_that_are_named() {
        let sets = |word| {
            let found = file_capability(word)?;
            Some((found.permitted, found.inheritable, found.effective))
        };
        assert_eq!(sets("dac_override"), Some((2, 0, true)));
        assert_eq!(sets("dac_override+p"), Some((2, 0, false)));
        assert_eq!(sets("dac_override+ei"), Some((0, 2, true)));
        assert_eq!(
            (sets("none+p"), sets("chown+"), sets("chown+x")),
            (None, None, None)
        );
    }
}
