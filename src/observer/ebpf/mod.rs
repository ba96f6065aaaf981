//! eBPF: programs that run inside the kernel at the places that an exec passes.
//!
//! They are C (`*.bpf.c`), compiled by clang when exetrail is built, and loaded here by aya. An observer
//! is one such file, which names what each of its programs is attached to, and a [`Kind`]. All leave
//! notes of one form in a ring ([`note`]), with the number of steps that there were; the hook of the
//! monitor tells them that number while the process is held. They are attached once a boot, and leave
//! notes between [`Observer::arm`] and [`Observer::disarm`] alone.

mod cgroup;
pub mod chdir;
pub mod helpers;
mod known;
pub mod lsm;
mod misses;
mod note;
mod programs;
pub mod structs;
pub mod tetragon;

pub use programs::{Object, Programs};

/// The object of a C file; it has no bytes where there was no clang.
macro_rules! object {
    ($name:literal) => {{
        /// Where the numbers of an ELF file are read in place, they have to be aligned.
        #[repr(align(8))]
        struct Aligned<T: ?Sized>(T);
        static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(
            env!("OUT_DIR"),
            "/",
            $name,
            ".bpf.o"
        )));
        &ALIGNED.0
    }};
}
use object;

/// What every observer of this kind needs.
mod needs {
    use std::path::Path;

    use aya::programs::ProgramType;
    use aya::sys::is_program_supported;

    use super::programs::unlimited;
    use crate::need::needs::CGROUPS;
    use crate::need::{Host, Need};
    use crate::observer::tracefs::{PROBES, SYSCALLS};

    /// Whether there was a clang when this was built.
    const BUILT: bool = cfg!(exetrail_ebpf);

    /// Programs on tracepoints and at the beginning of a function.
    pub const HELPERS: &[Need] = &[MACHINE, COMPILED, SYSCALL, EVENTS, TYPES, FUNCTIONS];
    /// Programs on tracepoints, those of the system calls among them.
    pub const CHDIR: &[Need] = &[MACHINE, COMPILED, SYSCALL, EVENTS, TYPES, SYSCALLS];
    /// Programs on tracepoints and probes, of which one reads who has logged in.
    pub const TETRAGON: &[Need] = &[MACHINE, COMPILED, SYSCALL, EVENTS, TYPES, PROBES, AUDIT];
    /// The same, of which one reads that, and the cgroup.
    pub const STRUCTS: &[Need] = &[
        MACHINE, COMPILED, SYSCALL, EVENTS, TYPES, PROBES, AUDIT, CGROUPS,
    ];
    /// Programs on LSM hooks.
    pub const LSM: &[Need] = &[MACHINE, COMPILED, SYSCALL, EVENTS, TYPES, FUNCTIONS, MODULE];

    const MACHINE: Need =
        Need::vm("a virtual machine: the programs would run for the whole machine");
    const COMPILED: Need = Need {
        what: "eBPF programs, which this build does not have: there was no clang (vm/setup installs it)",
        host: Host::Built(BUILT),
        probe: |_| BUILT,
    };
    const SYSCALL: Need = Need {
        what: "eBPF (CONFIG_BPF_SYSCALL)",
        host: Host::Config("CONFIG_BPF_SYSCALL"),
        probe: |_| Path::new("/proc/sys/kernel/unprivileged_bpf_disabled").exists(),
    };
    /// Without it the types of these programs are not known (`include/linux/bpf_types.h`).
    const EVENTS: Need = Need {
        what: "eBPF on probes and tracepoints (CONFIG_BPF_EVENTS)",
        host: Host::Config("CONFIG_BPF_EVENTS"),
        probe: |_| {
            unlimited(|| Ok(is_program_supported(ProgramType::TracePoint)?)).unwrap_or(false)
        },
    };
    /// A program at the beginning of a function takes the place of the call that the function tracer has there
    /// (`register_fentry` in kernel/bpf/trampoline.c).
    const FUNCTIONS: Need = Need {
        what: "eBPF at the beginning of functions (CONFIG_FUNCTION_TRACER)",
        host: Host::Config("CONFIG_FUNCTION_TRACER"),
        probe: |_| Path::new("/proc/sys/kernel/ftrace_enabled").exists(),
    };
    const TYPES: Need = Need {
        what: "the kernel's types (CONFIG_DEBUG_INFO_BTF)",
        host: Host::Config("CONFIG_DEBUG_INFO_BTF"),
        probe: |_| Path::new("/sys/kernel/btf/vmlinux").exists(),
    };
    const AUDIT: Need = Need {
        what: "login ids (CONFIG_AUDIT)",
        host: Host::Config("CONFIG_AUDIT"),
        probe: |_| Path::new("/proc/self/loginuid").exists(),
    };
    const MODULE: Need = Need {
        what: "eBPF programs as a security module (CONFIG_BPF_LSM)",
        // The guest finds it by the types, and finds none of it where there are none.
        host: Host::Both(&TYPES.host, &Host::Config("CONFIG_BPF_LSM")),
        probe: |_| has_function("bpf_lsm_bprm_check_security"),
    };

    /// Whether the kernel's types have a function: the list of its symbols takes half a second to read
    /// under emulation.
    fn has_function(name: &str) -> bool {
        let types = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
        let name = format!("\0{name}\0");
        memchr::memmem::find(&types, name.as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::need::KernelFacts;
    use crate::observer::Kind;
    use crate::trail::LabKind;

    /// Everything that the observers of this kind need of a configuration.
    const WHOLE: [&str; 9] = [
        "CONFIG_BPF_SYSCALL",
        "CONFIG_BPF_EVENTS",
        "CONFIG_BPF_LSM",
        "CONFIG_DEBUG_INFO_BTF",
        "CONFIG_FUNCTION_TRACER",
        "CONFIG_FTRACE_SYSCALLS",
        "CONFIG_KPROBE_EVENTS",
        "CONFIG_AUDIT",
        "CONFIG_CGROUPS",
    ];

    /// The options in the needs that a kernel with all but one of these does not meet.
    fn unmet(kind: &Kind, without: &str) -> Vec<&'static str> {
        let set = WHOLE.iter().filter(|option| **option != without);
        let config: String = set.map(|option| format!("{option}=y\n")).collect();
        let facts = KernelFacts {
            release: "6.12.1",
            config: Some(&config),
            modules: &[],
            lab: LabKind::Vm,
            capabilities: 0,
        };
        // Whether there was a clang is nothing of the kernel's.
        let known = kind
            .needs
            .iter()
            .filter(|need| need.what.contains("CONFIG_"));
        let unmet = known.filter(|need| need.on_host(&facts) == Some(false));
        unmet
            .map(|need| need.what.split(['(', ')']).nth(1).unwrap())
            .collect()
    }

    #[test]
    fn each_of_them_needs_what_its_programs_are_attached_to() {
        let every = [
            &structs::KIND,
            &helpers::KIND,
            &lsm::KIND,
            &chdir::KIND,
            &tetragon::KIND,
        ];
        for kind in every {
            assert_eq!(unmet(kind, ""), [""; 0], "{}", kind.name);
            assert_eq!(
                unmet(kind, "CONFIG_BPF_EVENTS"),
                ["CONFIG_BPF_EVENTS"],
                "{}",
                kind.name
            );
        }
        for (kind, option) in [
            (&chdir::KIND, "CONFIG_FTRACE_SYSCALLS"),
            (&tetragon::KIND, "CONFIG_KPROBE_EVENTS"),
            (&structs::KIND, "CONFIG_KPROBE_EVENTS"),
            (&helpers::KIND, "CONFIG_FUNCTION_TRACER"),
            (&lsm::KIND, "CONFIG_FUNCTION_TRACER"),
        ] {
            assert_eq!(unmet(kind, option), [option], "{}", kind.name);
        }
    }

    #[test]
    fn without_types_nobody_finds_a_security_module() {
        let unmet = unmet(&lsm::KIND, "CONFIG_DEBUG_INFO_BTF");
        assert_eq!(unmet, ["CONFIG_DEBUG_INFO_BTF", "CONFIG_BPF_LSM"]);
    }
}
