//! Whether a call has started a program, told by the kernel and not by how the process ended.
//!
//! A program that faults in its first instruction and a start that the kernel gives up after the
//! point of no return both end by SIGSEGV. The tracepoint `sched_process_exec` is passed between the
//! two, in `exec_binprm` (fs/exec.c) when a handler has done its work, and a counter of perf tells
//! how often: nothing of the process is changed or held for it.
//!
//! The counter is not the task's: when an exec gives a program rights that its caller did not have, the kernel takes all
//! counters off the task, in `begin_new_exec` and so before the tracepoint, whoever has put them there. Counted is what
//! happens on each CPU, for one process id; that is the kernel's own id, which a process in another namespace of
//! process ids is not told. There the counter is the task's own, so for a program that gains rights the answer is unknown.

use std::ffi::CString;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow};

use crate::need::needs::EXECS;
use crate::sys::Passes;

/// The namespace of process ids that the kernel begins with (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const FIRST: &str = "pid:[4026531836]";

/// Counts the execs of a process that have succeeded.
#[derive(Debug)]
pub struct Execs(Result<Passes>);

impl Execs {
    /// Begins to count; that it cannot be done matters only when somebody asks.
    pub fn of(pid: i32) -> Execs {
        Execs(count(pid))
    }

    /// Whether there was one.
    ///
    /// # Errors
    ///
    /// They cannot be counted here.
    pub fn have_succeeded(&self) -> Result<bool> {
        let passes = self.0.as_ref();
        let passes = passes.map_err(|error| anyhow!("failed to count execs: {error:#}"))?;
        Ok(passes.count().context("failed to read how many execs")? > 0)
    }
}

/// Whether our process ids are the kernel's own; in the native lab they are not.
pub(super) fn is_in_first_namespace() -> Result<bool> {
    let own = std::fs::read_link("/proc/self/ns/pid").context("failed to read a namespace")?;
    Ok(own == Path::new(FIRST))
}

fn count(pid: i32) -> Result<Passes> {
    let id = std::fs::read_to_string(EXECS).with_context(|| format!("failed to read {EXECS}"))?;
    let id = id.trim().parse().context("failed to read a number")?;
    let passes = match is_in_first_namespace()? && pid != 0 {
        true => Passes::filtered(id, &CString::new(format!("pid == {pid}"))?),
        false => Passes::of(pid, id),
    };
    passes.context("failed to count by perf_event_open")
}

/// Has the kernel keep its tracepoint, until this process ends: the last counter of one that is
/// closed waits for a grace period, and there is a counter for each start.
pub fn keep_counting() {
    static KEPT: OnceLock<Execs> = OnceLock::new();
    // Where it cannot be had, each start says so when it matters.
    KEPT.get_or_init(|| Execs::of(0));
}
