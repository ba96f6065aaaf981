//! Needs that several scenarios share, and that are probed without an observer.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use super::{Host, Need};
use crate::sys::{Interval, arm_interval, setxattr};
use crate::trail::{LabKind, Release};

/// Core dumps can be piped to a helper.
pub const COREDUMP: Need = Need {
    what: "core dumps (CONFIG_COREDUMP)",
    host: Host::Config("CONFIG_COREDUMP"),
    probe: |_| Path::new("/proc/sys/kernel/core_pattern").exists(),
};

/// Formats can be registered at run time.
pub const BINFMT_MISC: Need = Need {
    what: "formats registered at run time (CONFIG_BINFMT_MISC)",
    host: Host::Config("CONFIG_BINFMT_MISC"),
    probe: |_| has_file_system("binfmt_misc"),
};

/// A caller whose own arguments and capabilities are always the same.
pub const SAME_CALLER: Need = Need::vm(
    "a virtual machine: what the caller itself was given is the machine's affair in the \
           native lab",
);

/// Settings of the whole machine can be changed.
pub const OWN_SETTINGS: Need = Need::vm(
    "a virtual machine: the setting belongs to the whole machine, which the native lab \
           leaves alone",
);

/// A kernel of the table: another one may be of any stable release.
pub const KNOWN_RELEASE: Need = Need::vm(
    "a virtual machine: what is seen depends on the stable release, and on some a listener hangs",
);

/// Limits and memory maps of a process can be set freely.
pub const SYS_RESOURCE: Need = Need {
    what: "CAP_SYS_RESOURCE",
    host: Host::Capability(24),
    probe: |_| super::has_capability(super::own_capabilities(), 24),
};

/// File systems can be laid over each other.
pub const OVERLAY: Need = Need {
    what: "overlay (CONFIG_OVERLAY_FS)",
    host: Host::Config("CONFIG_OVERLAY_FS"),
    probe: |_| has_file_system("overlay"),
};

/// Files on a tmpfs have extended attributes, and so capabilities.
pub const TMPFS_XATTR: Need = Need {
    what: "attributes of files on tmpfs (CONFIG_TMPFS_XATTR)",
    host: Host::Config("CONFIG_TMPFS_XATTR"),
    probe: |_| has_attributes(Path::new("/tmp")),
};

/// Asynchronous I/O of io_setup(2).
pub const AIO: Need = Need {
    what: "asynchronous I/O (CONFIG_AIO)",
    host: Host::Config("CONFIG_AIO"),
    probe: |_| Path::new("/proc/sys/fs/aio-max-nr").exists(),
};

/// Rings of io_uring_setup(2).
pub const IO_URING: Need = Need {
    what: "io_uring (CONFIG_IO_URING)",
    host: Host::Config("CONFIG_IO_URING"),
    probe: |_| knows(&crate::sys::Ring::new(), Errno::ENOSYS),
};

/// The POSIX timers of a process are in `/proc`.
pub const PROC_TIMERS: Need = Need {
    what: "POSIX timers in /proc (CONFIG_POSIX_TIMERS, CONFIG_CHECKPOINT_RESTORE)",
    host: Host::Both(
        &Host::Config("CONFIG_POSIX_TIMERS"),
        &Host::Config("CONFIG_CHECKPOINT_RESTORE"),
    ),
    probe: |_| Path::new("/proc/self/timers").exists(),
};

/// Shared memory of System V.
pub const SYSVIPC: Need = Need {
    what: "System V IPC (CONFIG_SYSVIPC)",
    host: Host::Config("CONFIG_SYSVIPC"),
    probe: |_| Path::new("/proc/sysvipc/shm").exists(),
};

/// Files can be locked.
pub const FILE_LOCKING: Need = Need {
    what: "file locks (CONFIG_FILE_LOCKING)",
    host: Host::Config("CONFIG_FILE_LOCKING"),
    probe: |_| Path::new("/proc/locks").exists(),
};

/// Process ids can be of a namespace.
pub const PID_NAMESPACES: Need = Need {
    what: "pid namespaces (CONFIG_PID_NS)",
    host: Host::Config("CONFIG_PID_NS"),
    probe: |_| Path::new("/proc/self/ns/pid").exists(),
};

/// Disks of one's own: ext4 on a loop device.
pub const DISK: Need = Need {
    what: "loop devices (CONFIG_BLK_DEV_LOOP)",
    host: Host::Config("CONFIG_BLK_DEV_LOOP"),
    probe: |lab| lends_disks(lab, Path::new("/")),
};

/// 32-bit programs run.
pub const BITS_32: Need = Need {
    what: "32-bit programs (CONFIG_IA32_EMULATION)",
    host: Host::Config("CONFIG_IA32_EMULATION"),
    probe: |_| Path::new("/proc/sys/abi/vsyscall32").exists(),
};

/// Users can be mapped.
pub const USER_NAMESPACES: Need = Need {
    what: "user namespaces (CONFIG_USER_NS)",
    host: Host::Config("CONFIG_USER_NS"),
    probe: |_| Path::new("/proc/self/ns/user").exists(),
};

/// A user without any capability may have a user namespace, and all of them in it.
pub const UNPRIVILEGED_USER_NAMESPACES: Need = Need {
    what: "user namespaces of ordinary users (CONFIG_USER_NS, and the settings of the system)",
    host: Host::Both(&Host::Config("CONFIG_USER_NS"), &Host::Setting),
    probe: |_| gives_users_namespaces(Path::new("/proc")),
};

/// Addresses and exe of a process can be set at once (prctl(2), `PR_SET_MM_MAP`).
pub const MM_MAP: Need = Need {
    what: "PR_SET_MM_MAP (CONFIG_CHECKPOINT_RESTORE)",
    host: Host::Config("CONFIG_CHECKPOINT_RESTORE"),
    probe: |_| crate::sys::has_mm_map(),
};

/// The kernel can be asked whether a file may be executed.
///
/// Commit a5874fde3c08 ("exec: Add a new AT_EXECVE_CHECK flag to execveat(2)").
pub const EXECVE_CHECK: Need = Need {
    what: "AT_EXECVE_CHECK of execveat(2)",
    host: Host::Since(&["6.14"]),
    // A directory is EACCES; an unknown flag is EINVAL before that.
    probe: |_| {
        let image = crate::sys::Invocation::new(&[], &[]);
        let none = image.execveat(libc::AT_FDCWD, c"/", crate::sys::AT_EXECVE_CHECK);
        knows(&none, Errno::EINVAL)
    },
};

/// The kernel asks modprobe for what it lacks.
pub const MODULES: Need = Need {
    what: "kernel modules (CONFIG_MODULES)",
    host: Host::Config("CONFIG_MODULES"),
    probe: |_| Path::new("/proc/sys/kernel/modprobe").exists(),
};

/// Hierarchies of cgroups with a release agent.
pub const CGROUP_V1: Need = Need {
    what: "cgroups of version 1 (CONFIG_CGROUPS)",
    host: Host::Config("CONFIG_CGROUPS"),
    probe: |_| has_file_system("cgroup"),
};

/// The kernel starts helpers where the fixture is the root of PID 1.
pub const KERNEL_HELPERS: Need = Need::vm(
    "a virtual machine: the kernel looks its helpers up in PID 1's root, which the \
           native lab does not own",
);

/// What tells a signal inside an exec from one after it (`crate::scenario::Execs`).
pub const EXEC_COUNTER: Need = Need {
    what: "a counter of execs (CONFIG_EVENT_TRACING)",
    host: Host::Config("CONFIG_EVENT_TRACING"),
    probe: |_| Path::new(EXECS).exists(),
};

/// The number of the tracepoint that is passed by every exec that has succeeded.
pub const EXECS: &str = "/sys/kernel/tracing/events/sched/sched_process_exec/id";

/// Timers of setitimer(2) and timer_create(2).
pub const POSIX_TIMERS: Need = Need {
    what: "timers of processes (CONFIG_POSIX_TIMERS)",
    host: Host::Config("CONFIG_POSIX_TIMERS"),
    // Of zero it is disarmed.
    probe: |_| knows(&arm_interval(Interval::Real, 0), Errno::ENOSYS),
};

/// Filters of system calls.
pub const SECCOMP_FILTER: Need = Need {
    what: "filters of system calls (CONFIG_SECCOMP_FILTER)",
    host: Host::Config("CONFIG_SECCOMP_FILTER"),
    probe: |_| Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
};

/// The kernel's own faults can be waited for.
pub const USERFAULTFD: Need = Need {
    what: "faults that a process handles itself (CONFIG_USERFAULTFD)",
    host: Host::Config("CONFIG_USERFAULTFD"),
    probe: |_| crate::sys::has_userfaultfd(),
};

/// The one hierarchy of cgroups.
pub const CGROUP_V2: Need = Need {
    what: "cgroups of version 2 (CONFIG_CGROUPS)",
    host: Host::Config("CONFIG_CGROUPS"),
    probe: |_| has_file_system("cgroup2"),
};

/// Memory is accounted to cgroups of version 2.
pub const MEMORY_GROUPS: Need = Need {
    what: "memory of cgroups of version 2 (CONFIG_MEMCG)",
    host: Host::Config("CONFIG_MEMCG"),
    probe: |_| has_file_system("cgroup2") && Path::new("/proc/kpagecgroup").exists(),
};

/// Landlock, or a kernel that is older than it.
pub const LANDLOCK: Need = Need {
    what: "Landlock, from 5.13 on (CONFIG_SECURITY_LANDLOCK)",
    host: Host::From("5.13", "CONFIG_SECURITY_LANDLOCK"),
    probe: |_| since("5.13", running(), crate::sys::has_landlock),
};

/// What a process of the kernel's stack is shown.
pub const STACKS: Need = Need {
    what: "/proc/PID/stack (CONFIG_STACKTRACE)",
    host: Host::Config("CONFIG_STACKTRACE"),
    probe: |_| Path::new("/proc/self/stack").exists(),
};

/// Groups of processes.
pub const CGROUPS: Need = Need {
    what: "cgroups (CONFIG_CGROUPS)",
    host: Host::Config("CONFIG_CGROUPS"),
    probe: |_| Path::new("/proc/self/cgroup").exists(),
};

/// Whether the kernel's answer is another one than that of a kernel that does not know what it is asked.
fn knows<T>(answer: &Result<T, Errno>, unknown: Errno) -> bool {
    answer.as_ref().err() != Some(&unknown)
}

fn has_file_system(name: &str) -> bool {
    knows_file_system(Path::new("/"), name)
}

/// Whether the kernel with this root has a file system, which has no other name.
fn knows_file_system(root: &Path, name: &str) -> bool {
    let known = std::fs::read_to_string(root.join("proc/filesystems")).unwrap_or_default();
    known
        .lines()
        .any(|line| line.split('\t').nth(1) == Some(name))
}

/// Whether a lab with this root has loop devices, and ext4 to be on them.
fn lends_disks(lab: LabKind, root: &Path) -> bool {
    // The devices of the running system are not ours, whatever else is needed.
    lab == LabKind::Native
        || root.join("dev/loop-control").exists() && knows_file_system(root, "ext4")
}

/// Whether the kernel with this `/proc` has ordinary users make user namespaces.
fn gives_users_namespaces(proc: &Path) -> bool {
    let setting = |name: &str| std::fs::read_to_string(proc.join("sys").join(name));
    let is = |name, value| setting(name).is_ok_and(|set| set.trim() == value);
    // Debian's and Ubuntu's, which mainline does not have.
    let forbidden = is("kernel/unprivileged_userns_clone", "0")
        || is("kernel/apparmor_restrict_unprivileged_userns", "1");
    proc.join("self/ns/user").exists() && !is("user/max_user_namespaces", "0") && !forbidden
}

/// What a kernel of this series or a newer one is asked; an older one need not have it.
fn since(series: &str, running: Option<Release>, probe: fn() -> bool) -> bool {
    match running.filter(|release| !release.has(&[series])) {
        Some(_) => true,
        None => probe(),
    }
}

/// The running kernel.
fn running() -> Option<Release> {
    let uname = nix::sys::utsname::uname().ok()?;
    Release::of(&uname.release().to_string_lossy())
}

/// Whether a file in a directory takes a capability; nothing is left of it.
fn has_attributes(directory: &Path) -> bool {
    let place = directory.join(".exetrail-probe");
    // VFS_CAP_REVISION_2 without any capability.
    let value = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let set = std::fs::write(&place, "").and_then(|()| {
        let path = CString::new(place.as_os_str().as_bytes())?;
        Ok(setxattr(&path, c"security.capability", &value)?)
    });
    let _ = std::fs::remove_file(place);
    set.is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::{KernelFacts, own_capabilities};
    use super::*;

    #[test]
    fn both_sides_take_the_same_lab_for_a_machine_of_ours() {
        for need in [SAME_CALLER, OWN_SETTINGS, KERNEL_HELPERS] {
            for lab in [LabKind::Vm, LabKind::Native] {
                let facts = KernelFacts {
                    release: "6.1.1",
                    config: None,
                    modules: &[],
                    lab,
                    capabilities: 0,
                };
                let (host, guest) = (need.on_host(&facts), (need.probe)(lab));
                assert_eq!(host, Some(guest), "{} in {lab:?}", need.what);
            }
        }
    }

    #[test]
    fn only_the_one_errno_says_that_a_call_is_not_known() {
        let knows = |answer| knows::<()>(&answer, Errno::ENOSYS);
        assert!(knows(Ok(())) && knows(Err(Errno::EPERM)) && !knows(Err(Errno::ENOSYS)));
    }

    /// Whether a lab whose root has these files lends disks.
    fn disks(lab: LabKind, files: &[(&str, &str)]) -> bool {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = root.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        lends_disks(lab, root.path())
    }

    #[test]
    fn a_disk_is_a_loop_device_with_a_file_system() {
        let (device, ext4) = (("dev/loop-control", ""), ("proc/filesystems", "\text4\n"));
        let disks = |files: &[_]| disks(LabKind::Vm, files);
        assert!(disks(&[device, ext4]));
        assert!(!disks(&[device]) && !disks(&[ext4]));
    }

    #[test]
    fn the_native_lab_is_lent_its_disks_whatever_it_has() {
        assert!(disks(LabKind::Native, &[]));
    }

    /// Whether users have namespaces where the settings of the kernel are these.
    fn namespaces(settings: &[(&str, &str)]) -> bool {
        let proc = tempfile::tempdir().unwrap();
        for (name, value) in settings {
            let file = proc.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, value).unwrap();
        }
        gives_users_namespaces(proc.path())
    }

    #[test]
    fn each_setting_takes_the_namespaces_of_users_away() {
        let known = ("self/ns/user", "");
        let most = "sys/user/max_user_namespaces";
        let debian = "sys/kernel/unprivileged_userns_clone";
        let ubuntu = "sys/kernel/apparmor_restrict_unprivileged_userns";
        assert!(!namespaces(&[]) && namespaces(&[known]));
        assert!(namespaces(&[
            known,
            (most, "96551\n"),
            (debian, "1\n"),
            (ubuntu, "0\n")
        ]));
        for forbidden in [(most, "0\n"), (debian, "0\n"), (ubuntu, "1\n")] {
            assert!(!namespaces(&[known, forbidden]), "{forbidden:?}");
        }
    }

    #[test]
    fn a_file_system_is_known_by_its_whole_name() {
        assert!(has_file_system("tmpfs"));
        assert!(!has_file_system("tmp") && !has_file_system("nodev"));
    }

    #[test]
    fn what_came_with_a_series_is_asked_from_there_on() {
        let since = |release, probe| since("5.13", Release::of(release), probe);
        assert!(since("5.12.9", || false));
        assert!(since("5.13.1", || true) && !since("5.13.1", || false));
        assert!(!since("unknown", || false));
    }

    #[test]
    fn the_running_kernel_has_a_release() {
        assert!(running().is_some_and(|release| release.has(&["3.0"])));
    }

    #[test]
    fn where_no_file_can_be_there_is_no_attribute() {
        assert!(!has_attributes(Path::new("/proc/none")));
    }

    #[test]
    fn a_file_takes_a_capability_from_who_may_set_one() {
        let directory = tempfile::tempdir().unwrap();
        // CAP_SETFCAP of capabilities(7).
        let may = super::super::has_capability(own_capabilities(), 31);
        assert_eq!(has_attributes(directory.path()), may);
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }
}
