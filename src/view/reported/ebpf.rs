//! The views of eBPF programs.

use super::Way;
use crate::view::ViewName;

/// Programs that read the kernel's structs and call no helper for a path.
#[derive(Debug)]
pub struct EbpfStructs;

impl Way for EbpfStructs {
    const NAME: ViewName = ViewName::new("ebpf-structs");
    const ABOUT: &'static str = "eBPF programs that read the kernel's structs";
}

/// Programs that ask helpers.
#[derive(Debug)]
pub struct EbpfHelpers;

impl Way for EbpfHelpers {
    const NAME: ViewName = ViewName::new("ebpf-helpers");
    const ABOUT: &'static str = "eBPF programs that ask helpers for path, comm and cgroup";
}

/// Programs on LSM hooks.
#[derive(Debug)]
pub struct EbpfLsm;

impl Way for EbpfLsm {
    const NAME: ViewName = ViewName::new("ebpf-lsm");
    const ABOUT: &'static str = "eBPF programs on LSM hooks";
}

/// Working directories that are kept from fork and chdir.
#[derive(Debug)]
pub struct ExecForkChdir;

impl Way for ExecForkChdir {
    const NAME: ViewName = ViewName::new("exec-fork-chdir");
    const ABOUT: &'static str = "eBPF programs that make paths absolute by what chdir was given";
}

/// The hook of Tetragon's policy process-exec-elf-begin, and its complement.
#[derive(Debug)]
pub struct TetragonHook;

impl Way for TetragonHook {
    const NAME: ViewName = ViewName::new("tetragon-hook");
    const ABOUT: &'static str = "the hook of Tetragon's policy process-exec-elf-begin";
}
