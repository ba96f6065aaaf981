//! What a scenario needs from the kernel and the lab, as data that both sides check.
//!
//! The host judges by the kernel's release and configuration, the guest probes. When both say
//! "unmet" a scenario is unsupported; when they disagree, one of them is wrong and it is broken.

pub mod needs;

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

impl Need {
    /// A virtual machine, and for what: "a virtual machine: profiles are the whole machine's".
    #[must_use]
    pub const fn vm(what: &'static str) -> Need {
        Need {
            what,
            host: Host::Vm,
            probe: |lab| lab == LabKind::Vm,
        }
    }
}

/// What an observer does without where it is not there, and says so.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// How a view names what is missing: a function of the kernel, by which stages are seen.
    pub name: &'static str,
    /// What it is.
    pub need: Need,
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
    /// Whether this build has it.
    Built(bool),
    /// A kernel of this mainline series or a newer one has this option; an older one need not.
    From(&'static str, &'static str),
    /// A setting at run time, of which the guest's word has to do.
    Setting,
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

/// Whether a set of capabilities has this one.
fn has_capability(set: u64, number: u32) -> bool {
    set & (1 << number) != 0
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
            Host::Built(built) => Some(built),
            Host::From(series, option) => {
                match Release::of(facts.release).is_some_and(|release| release.has(&[series])) {
                    true => Host::Config(option).is_met(facts),
                    false => Some(true),
                }
            }
            Host::Setting => None,
            Host::Vm => Some(facts.lab == LabKind::Vm),
            Host::Capability(number) => {
                Some(facts.lab == LabKind::Vm || has_capability(facts.capabilities, number))
            }
        }
    }
}

impl Host {
    /// What is a module of the kernel and not at hand, with what to do about it; none where nothing is.
    #[must_use]
    pub fn missing_module(&self, facts: &KernelFacts<'_>) -> Option<String> {
        match *self {
            Host::Config(option) => {
                let set = format!("{option}=m");
                let is_module = facts.config?.lines().any(|line| line == set);
                if !is_module || self.is_met(facts) == Some(true) {
                    return None;
                }
                let module = MODULES.iter().find(|(known, _)| *known == option);
                Some(match module {
                    Some((_, name)) => format!(
                        "{name} is a module of this kernel, and not there: build it (make modules), or say where \
                         it is (--modules)"
                    ),
                    None => {
                        format!(
                            "{option} is a module of this kernel, which no guest has: build it in"
                        )
                    }
                })
            }
            Host::Both(one, other) => one
                .missing_module(facts)
                .or_else(|| other.missing_module(facts)),
            Host::From(_, option) => Host::Config(option).missing_module(facts),
            _ => None,
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
    ("file-capabilities", needs::TMPFS_XATTR),
    ("loop", needs::DISK),
    ("modules", needs::MODULES),
    ("overlay", needs::OVERLAY),
    ("user-namespaces", needs::USER_NAMESPACES),
    ("virtual-machine", needs::OWN_SETTINGS),
];

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
    fn a_module_that_is_not_there_is_told_from_an_option() {
        let missing = |host: Host| {
            host.missing_module(&KernelFacts {
                release: "6.1.1",
                config: Some("CONFIG_OVERLAY_FS=m\nCONFIG_BINFMT_MISC=m\nCONFIG_A=m\n"),
                modules: &["overlay"],
                lab: LabKind::Vm,
                capabilities: 0,
            })
        };
        assert_eq!(missing(Host::Config("CONFIG_OVERLAY_FS")), None);
        assert_eq!(missing(Host::Config("CONFIG_B")), None);
        let text = missing(Host::Config("CONFIG_BINFMT_MISC")).unwrap();
        assert!(text.starts_with("binfmt_misc is a module") && text.contains("--modules"));
        const BOTH: Host = Host::Both(&Host::Vm, &Host::Config("CONFIG_A"));
        assert!(missing(BOTH).unwrap().ends_with("build it in"));
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
    fn a_capability_is_one_bit_of_its_set() {
        let bits = |set| [23, 24, 25].map(|number| has_capability(set, number));
        assert_eq!(bits(1 << 24), [false, true, false]);
        assert_eq!(bits(!(1 << 24)), [true, false, true]);
    }

    #[test]
    fn our_capabilities_are_those_that_take_effect() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let effective = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:\t"));
        let own = format!("{:016x}", own_capabilities());
        assert_eq!(Some(own.as_str()), effective);
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
    fn an_option_that_came_later_is_not_asked_of_an_older_kernel() {
        let from = || Host::From("5.13", "CONFIG_A");
        assert_eq!(met(from(), "5.10.251", Some("\n")), Some(true));
        assert_eq!(met(from(), "6.1.1", Some("\n")), Some(false));
        assert_eq!(met(from(), "6.1.1", Some("CONFIG_A=y\n")), Some(true));
        assert_eq!(met(from(), "6.1.1", None), None);
    }

    #[test]
    fn a_stable_release_has_what_was_carried_back_to_it() {
        let since = || Host::Since(&["6.14", "6.12.15"]);
        assert_eq!(met(since(), "6.12.107+deb13-cloud-amd64", None), Some(true));
        assert_eq!(met(since(), "6.12.9", None), Some(false));
        assert_eq!(met(since(), "6.13.20", None), Some(false));
    }

    /// How many of these are asked about: one of the machine, and two others.
    fn number(lab: LabKind, machine: bool) -> usize {
        let all = [needs::OVERLAY, needs::COREDUMP, needs::OWN_SETTINGS];
        asked(&all[..if machine { 3 } else { 2 }], lab).count()
    }

    #[test]
    fn where_the_machine_is_not_ours_nothing_else_is_asked() {
        assert_eq!(
            (number(LabKind::Vm, true), number(LabKind::Vm, false)),
            (3, 2)
        );
        assert_eq!(
            (
                number(LabKind::Native, true),
                number(LabKind::Native, false)
            ),
            (1, 2)
        );
        let all = [needs::OVERLAY, needs::OWN_SETTINGS];
        let alone: Vec<_> = asked(&all, LabKind::Native).map(|need| need.what).collect();
        assert_eq!(alone, [needs::OWN_SETTINGS.what]);
    }

    #[test]
    fn the_native_lab_is_no_machine_and_loads_its_own_modules() {
        let on = |host, lab| {
            let need = Need {
                what: "",
                host,
                probe: |_| true,
            };
            need.on_host(&KernelFacts {
                release: "6.1.1",
                config: Some("CONFIG_BINFMT_MISC=m\n"),
                modules: &[],
                lab,
                capabilities: 0,
            })
        };
        assert_eq!(on(Host::Vm, LabKind::Vm), Some(true));
        assert_eq!(on(Host::Vm, LabKind::Native), Some(false));
        assert_eq!(
            on(Host::Config("CONFIG_BINFMT_MISC"), LabKind::Native),
            Some(true)
        );
        assert_eq!(
            on(Host::Config("CONFIG_BINFMT_MISC"), LabKind::Vm),
            Some(false)
        );
        assert_eq!(on(Host::Built(true), LabKind::Vm), Some(true));
        assert_eq!(on(Host::Built(false), LabKind::Vm), Some(false));
    }
}
