//! Whether a call has started a program, told by the kernel and not by how the process ended.
//!
//! A program that faults in its first instruction and a start that the kernel gives up after the
//! point of no return both end by SIGSEGV. The tracepoint `sched_process_exec` is passed between the
//! two, in `exec_binprm` (fs/exec.c) when a handler has done its work, and a counter of perf tells
//! how often: nothing of the process is changed or held for it.

use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow};

use crate::need::needs::EXECS;
use crate::sys::Passes;

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

fn count(pid: i32) -> Result<Passes> {
    let id = std::fs::read_to_string(EXECS).with_context(|| format!("failed to read {EXECS}"))?;
    let id = id.trim().parse().context("failed to read a number")?;
    Passes::of(pid, id).context("failed to count by perf_event_open")
}

/// Has the kernel keep its tracepoint, until this process ends: the last counter of one that is
/// closed waits for a grace period, and there is a counter for each start.
pub fn keep_counting() {
    static KEPT: OnceLock<Execs> = OnceLock::new();
    // Where it cannot be had, each start says so when it matters.
    KEPT.get_or_init(|| Execs::of(0));
}
