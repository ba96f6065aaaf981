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

    use crate::need::needs::CGROUPS;
    use crate::need::{Host, Need};

    /// Whether there was a clang when this was built.
    const BUILT: bool = cfg!(exetrail_ebpf);

    /// Programs that are put in place by the kernel's own types.
    pub const BTF: &[Need] = &[MACHINE, COMPILED, SYSCALL, TYPES];
    /// The same, of which one reads who has logged in.
    pub const AUDITED: &[Need] = &[MACHINE, COMPILED, SYSCALL, TYPES, AUDIT];
    /// The same, of which one reads that, and the cgroup.
    pub const STRUCTS: &[Need] = &[MACHINE, COMPILED, SYSCALL, TYPES, AUDIT, CGROUPS];
    /// Programs on LSM hooks.
    pub const LSM: &[Need] = &[MACHINE, COMPILED, SYSCALL, TYPES, MODULE];

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
        host: Host::Config("CONFIG_BPF_LSM"),
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
