//! The inside of the kernel: a tracefs instance of our own, its order one counter for all CPUs.
//!
//! Functions of the exec path, tracepoints and the return values of the format handlers are traced
//! for the whole machine and sorted out afterwards ([`crate::stages`]): a filter by process would
//! not follow the helpers that the kernel starts. A hook of the monitor writes a marker before each
//! answer, while the process is held, so that steps and stages have one order. Filters are set once
//! a boot, because patching the kernel's code is slow under emulation.

mod entry;
mod filter;
mod instance;
mod marker;
mod symbols;
mod tracer;

use crate::need::{Host, Need, Want, needs};

pub use super::tracefs::TRACING;
use super::tracefs::{PROBES, SYSCALLS};
use instance::BUSY;
pub use instance::GROUP;
pub use tracer::KIND;

/// What the view needs from kernel and lab.
const NEEDS: &[Need] = &[
    Need::vm("a virtual machine: the tracer of the running system is not ours"),
    Need {
        what: "tracefs with the function tracer (CONFIG_FUNCTION_TRACER)",
        host: Host::Config("CONFIG_FUNCTION_TRACER"),
        probe: |_| instance::has_function_tracer(),
    },
    SYSCALLS,
    PROBES,
];

/// Its handler is asked first about a file: without it a story lacks two stages.
const WANTS: &[Want] = &[Want {
    name: "load_misc_binary",
    need: needs::BINFMT_MISC,
}];
