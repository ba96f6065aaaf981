//! What a scenario needs from the kernel and the lab, as data that both sides check.
//!
//! The host judges by the kernel's release and configuration, the guest probes. Only when both say
//! "unmet" is a scenario unsupported; when they disagree, one of them is wrong and it is broken.

use std::path::Path;

use crate::proc::Status;
use crate::trail::{Lab, Release};

/// One need.
#[derive(Debug)]
pub struct Need {
    /// What is needed, as a reason is printed: "core dumps (CONFIG_COREDUMP)".
    pub what: &'static str,
    /// How the host judges.
    pub host: Host,
    /// How the guest finds out.
    pub probe: fn(Lab) -> bool,
}

/// How the host judges whether a need is met.
#[derive(Debug)]
pub enum Host {
    /// The kernel's configuration has this option, built in or as a module of the image.
    Config(&'static str),
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
    /// Where it runs.
    pub lab: Lab,
    /// The capabilities of this process, which the native lab inherits.
    pub capabilities: u64,
}

/// The needs that are asked about in a lab: where the machine is not ours, and has to be, nothing
/// else is.
pub fn asked(needs: &[Need], lab: Lab) -> impl Iterator<Item = &Need> {
    let is_machine = |need: &Need| matches!(need.host, Host::Vm);
    let alone = lab == Lab::Native && needs.iter().any(is_machine);
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
        match self.host {
            Host::Config(option) => {
                let config = facts.config?;
                Some(config.lines().any(|line| {
                    line.strip_prefix(option)
                        .is_some_and(|value| matches!(value, "=y" | "=m"))
                }))
            }
            Host::Since(releases) => {
                Some(Release::of(facts.release).is_some_and(|release| release.has(releases)))
            }
            Host::Vm => Some(facts.lab == Lab::Vm),
            Host::Capability(number) => {
                Some(facts.lab == Lab::Vm || facts.capabilities & (1 << number) != 0)
            }
        }
    }
}

/// Needs that several scenarios share, and that are probed without an observer.
pub mod needs {
    use super::{Host, Lab, Need, Path};

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
        probe: |lab| lab == Lab::Vm,
    };

    /// Settings of the whole machine can be changed.
    pub const OWN_SETTINGS: Need = Need {
        what: "a virtual machine: the setting belongs to the whole machine, which the native lab \
               leaves alone",
        host: Host::Vm,
        probe: |lab| lab == Lab::Vm,
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

    /// Disks of one's own: ext4 on a loop device.
    pub const DISK: Need = Need {
        what: "loop devices (CONFIG_BLK_DEV_LOOP)",
        host: Host::Config("CONFIG_BLK_DEV_LOOP"),
        // The devices of the running system are not ours, whatever else is needed.
        probe: |lab| {
            lab == Lab::Native || Path::new("/dev/loop-control").exists() && file_system("ext4")
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
            let image = crate::sys::Image::new(&[], &[]);
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
        probe: |lab| lab == Lab::Vm,
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
            lab: Lab::Vm,
            capabilities: 0,
        })
    }

    #[test]
    fn an_option_that_is_a_module_counts() {
        let config = Some("CONFIG_A=m\n# CONFIG_B is not set\n");
        assert_eq!(met(Host::Config("CONFIG_A"), "6.1.1", config), Some(true));
        assert_eq!(met(Host::Config("CONFIG_B"), "6.1.1", config), Some(false));
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
                lab,
                capabilities,
            })
        };
        assert_eq!(on(Lab::Vm, 0), Some(true));
        assert_eq!(on(Lab::Native, !(1 << 24)), Some(false));
        assert_eq!(on(Lab::Native, 1 << 24), Some(true));
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
