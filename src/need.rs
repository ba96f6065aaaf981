//! What a scenario needs from the kernel and the lab, as data that both sides check.
//!
//! The host judges by the kernel's release and configuration, the guest probes. Only when both say
//! "unmet" is a scenario unsupported; when they disagree, one of them is wrong and it is broken.

use std::path::Path;

use crate::proc::Status;
use crate::trail::{LabKind, Release};

/// One need.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// What is needed, as a reason is printed: "core dumps (CONFIG_COREDUMP)".
    pub what: &'static str,
    /// How the host judges.
    pub host: Host,
    /// How the guest finds out.
    pub probe: fn(LabKind) -> bool,
}

/// How the host judges whether a need is met.
#[derive(Clone, Copy, Debug)]
pub enum Host {
    /// The kernel's configuration has this option, built in or as a module that the image carries.
    Config(&'static str),
    /// Both of these.
    Both(&'static Host, &'static Host),
    /// The feature came with these releases: a mainline series (`6.14`), then what it was
    /// backported to (`6.12.15`).
    Since(&'static [&'static str]),
    /// The lab is a virtual machine.
    Vm,
    /// Root has this capability (capabilities(7), by its number), as it may not where the running
    /// system is itself confined.
    Capability(u32),
}

/// What the host knows of a kernel.
#[derive(Debug)]
pub struct KernelFacts<'a> {
    /// Upstream release with its patch level, such as `6.12.107`.
    pub release: &'a str,
    /// The configuration; none when it is not known.
    pub config: Option<&'a str>,
    /// Names of the modules that the image carries.
    pub modules: &'a [&'a str],
    /// Where it runs.
    pub lab: LabKind,
    /// The capabilities of this process, which the native lab inherits.
    pub capabilities: u64,
}

/// The needs that are asked about in a lab: where the machine is not ours, and has to be, nothing
/// else is.
pub fn asked(needs: &[Need], lab: LabKind) -> impl Iterator<Item = &Need> {
    let is_machine = |need: &Need| matches!(need.host, Host::Vm);
    let alone = lab == LabKind::Native && needs.iter().any(is_machine);
    needs.iter().filter(move |need| !alone || is_machine(need))
}

/// The effective capabilities of this process, a bit each (proc_pid_status(5), `CapEff`).
#[must_use]
pub fn own_capabilities() -> u64 {
    Status::own()
        .and_then(|own| own.bits("CapEff:"))
        .unwrap_or(0)
}

impl Need {
    /// Whether the need is met as far as the host can tell; none when it cannot.
    #[must_use]
    pub fn on_host(&self, facts: &KernelFacts<'_>) -> Option<bool> {
        self.host.is_met(facts)
    }
}

/// The modules that an image can carry, by their options.
const MODULES: [(&str, &str); 3] = [
    ("CONFIG_BINFMT_MISC", "binfmt_misc"),
    ("CONFIG_BLK_DEV_LOOP", "loop"),
    ("CONFIG_OVERLAY_FS", "overlay"),
];

impl Host {
    fn is_met(&self, facts: &KernelFacts<'_>) -> Option<bool> {
        match *self {
            Host::Config(option) => {
                let config = facts.config?;
                let value = config
                    .lines()
                    .find_map(|line| line.strip_prefix(option)?.strip_prefix('='));
                let carried = || {
                    let module = MODULES.iter().find(|(known, _)| *known == option);
                    // In the native lab the system loads its own.
                    facts.lab == LabKind::Native
                        || module.is_some_and(|(_, name)| facts.modules.contains(name))
                };
                Some(match value {
                    Some("y") => true,
                    Some("m") => carried(),
                    _ => false,
                })
            }
            Host::Both(one, other) => match (one.is_met(facts), other.is_met(facts)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Host::Since(releases) => {
                Some(Release::of(facts.release).is_some_and(|release| release.has(releases)))
            }
            Host::Vm => Some(facts.lab == LabKind::Vm),
            Host::Capability(number) => {
                Some(facts.lab == LabKind::Vm || facts.capabilities & (1 << number) != 0)
            }
        }
    }
}

/// The needs that a case file can name.
pub const NAMED: &[(&str, Need)] = &[
    ("32-bit", needs::BITS_32),
    ("binfmt-misc", needs::BINFMT_MISC),
    ("cgroup-v1", needs::CGROUP_V1),
    ("core-dumps", needs::COREDUMP),
    ("execve-check", needs::EXECVE_CHECK),
    ("loop", needs::DISK),
    ("modules", needs::MODULES),
    ("overlay", needs::OVERLAY),
    ("user-namespaces", needs::USER_NAMESPACES),
    ("virtual-machine", needs::OWN_SETTINGS),
];

/// Whether a file in `/tmp` takes a capability; nothing is left of it.
fn tmpfs_has_attributes() -> bool {
    let place = Path::new("/tmp/.exetrail-probe");
    let path = c"/tmp/.exetrail-probe";
    // VFS_CAP_REVISION_2 without any capability.
    let value = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let set = std::fs::write(place, "").is_ok()
        && crate::sys::set_attribute(path, c"security.capability", &value).is_ok();
    let _ = std::fs::remove_file(place);
    set
}

/// Needs that several scenarios share, and that are probed without an observer.
pub mod needs {
    use super::{Host, LabKind, Need, Path};

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
        probe: |_| file_system("binfmt_misc"),
    };

    /// A caller whose own arguments and capabilities are always the same.
    pub const SAME_CALLER: Need = Need {
        what: "a virtual machine: what the caller itself was given is the machine's affair in the \
               native lab",
        host: Host::Vm,
        probe: |lab| lab == LabKind::Vm,
    };

    /// Settings of the whole machine can be changed.
    pub const OWN_SETTINGS: Need = Need {
        what: "a virtual machine: the setting belongs to the whole machine, which the native lab \
               leaves alone",
        host: Host::Vm,
        probe: |lab| lab == LabKind::Vm,
    };

    /// Limits and memory maps of a process can be set freely.
    pub const SYS_RESOURCE: Need = Need {
        what: "CAP_SYS_RESOURCE",
        host: Host::Capability(24),
        probe: |_| super::own_capabilities() & (1 << 24) != 0,
    };

    /// File systems can be laid over each other.
    pub const OVERLAY: Need = Need {
        what: "overlay (CONFIG_OVERLAY_FS)",
        host: Host::Config("CONFIG_OVERLAY_FS"),
        probe: |_| file_system("overlay"),
    };

    /// Files on a tmpfs have extended attributes, and so capabilities.
    pub const TMPFS_XATTR: Need = Need {
        what: "attributes of files on tmpfs (CONFIG_TMPFS_XATTR)",
        host: Host::Config("CONFIG_TMPFS_XATTR"),
        probe: |_| super::tmpfs_has_attributes(),
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
        probe: |_| !matches!(crate::sys::Ring::new(), Err(nix::errno::Errno::ENOSYS)),
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
        // The devices of the running system are not ours, whatever else is needed.
        probe: |lab| {
            lab == LabKind::Native || Path::new("/dev/loop-control").exists() && file_system("ext4")
        },
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

    /// The kernel can be asked whether it would execute a file.
    ///
    /// Commit a5874fde3c08 ("exec: Add a new AT_EXECVE_CHECK flag to execveat(2)").
    pub const EXECVE_CHECK: Need = Need {
        what: "AT_EXECVE_CHECK of execveat(2)",
        host: Host::Since(&["6.14"]),
        // A directory is EACCES; an unknown flag is EINVAL before that.
        probe: |_| {
            let image = crate::sys::Invocation::new(&[], &[]);
            let none = image.execveat(-1, c"/", crate::sys::AT_EXECVE_CHECK);
            none != Err(nix::errno::Errno::EINVAL)
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
        probe: |_| file_system("cgroup"),
    };

    fn file_system(name: &str) -> bool {
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        known
            .lines()
            .any(|line| line.split('\t').nth(1) == Some(name))
    }

    /// The kernel starts helpers where the fixture is the root of PID 1.
    pub const KERNEL_HELPERS: Need = Need {
        what: "a virtual machine: the kernel looks its helpers up in PID 1's root, which the \
               native lab does not own",
        host: Host::Vm,
        probe: |lab| lab == LabKind::Vm,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(host: Host, release: &str, config: Option<&str>) -> Option<bool> {
        let need = Need {
            what: "",
            host,
            probe: |_| true,
        };
        need.on_host(&KernelFacts {
            release,
            config,
            modules: &["overlay"],
            lab: LabKind::Vm,
            capabilities: 0,
        })
    }

    #[test]
    fn an_option_that_is_a_module_counts_where_the_image_carries_it() {
        let config = Some("CONFIG_OVERLAY_FS=m\nCONFIG_BINFMT_MISC=m\n# CONFIG_B is not set\n");
        let met = |option| met(Host::Config(option), "6.1.1", config);
        assert_eq!(met("CONFIG_OVERLAY_FS"), Some(true));
        assert_eq!(met("CONFIG_BINFMT_MISC"), Some(false));
        assert_eq!(met("CONFIG_B"), Some(false));
    }

    #[test]
    fn what_needs_both_has_neither_without_one() {
        const BOTH: Host = Host::Both(&Host::Config("CONFIG_A"), &Host::Since(&["6.14"]));
        assert_eq!(met(BOTH, "6.16.1", Some("CONFIG_A=y\n")), Some(true));
        assert_eq!(met(BOTH, "6.1.1", Some("CONFIG_A=y\n")), Some(false));
        assert_eq!(met(BOTH, "6.16.1", Some("\n")), Some(false));
        assert_eq!(met(BOTH, "6.16.1", None), None);
    }

    #[test]
    fn an_option_is_not_met_by_a_longer_name() {
        assert_eq!(
            met(Host::Config("CONFIG_A"), "6.1.1", Some("CONFIG_AB=y\n")),
            Some(false)
        );
    }

    #[test]
    fn root_of_a_virtual_machine_has_every_capability_and_ours_has_its_own() {
        let need = Need {
            what: "",
            host: Host::Capability(24),
            probe: |_| true,
        };
        let on = |lab, capabilities| {
            need.on_host(&KernelFacts {
                release: "6.1.1",
                config: None,
                modules: &[],
                lab,
                capabilities,
            })
        };
        assert_eq!(on(LabKind::Vm, 0), Some(true));
        assert_eq!(on(LabKind::Native, !(1 << 24)), Some(false));
        assert_eq!(on(LabKind::Native, 1 << 24), Some(true));
    }

    #[test]
    fn without_a_configuration_the_host_cannot_tell() {
        assert_eq!(met(Host::Config("CONFIG_A"), "6.1.1", None), None);
    }

    #[test]
    fn a_series_has_what_came_with_an_older_one() {
        assert_eq!(
            met(Host::Since(&["6.14"]), "6.16.12+deb13-cloud-amd64", None),
            Some(true)
        );
        assert_eq!(met(Host::Since(&["6.14"]), "6.13.9", None), Some(false));
    }

    #[test]
    fn a_stable_release_has_what_was_carried_back_to_it() {
        let since = || Host::Since(&["6.14", "6.12.15"]);
        assert_eq!(met(since(), "6.12.107+deb13-cloud-amd64", None), Some(true));
        assert_eq!(met(since(), "6.12.9", None), Some(false));
        assert_eq!(met(since(), "6.13.20", None), Some(false));
    }
}
