//! The view `ptrace-seccomp`.

use super::Way;
use crate::view::ViewName;

/// A tracer that a filter of system calls wakes at each exec.
#[derive(Debug)]
pub struct PtraceSeccomp;

impl Way for PtraceSeccomp {
    const NAME: ViewName = ViewName::new("ptrace-seccomp");
    const ABOUT: &'static str = "a tracer that a seccomp filter stops execs for, and its footprint";
}
