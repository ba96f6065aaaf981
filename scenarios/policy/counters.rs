//! Who counts what a task does loses sight of it when it gets rights.
//!
//! A counter of perf_event_open(2) on one task is taken off it by an exec that changes its ids or gives it capabilities:
//! `begin_new_exec` calls `perf_event_exit_task` when the new credentials are set and the dumpable attribute is not 1
//! (fs/exec.c). So does an exec of a file that its user may not read, and any by a process whose ids differ; where
//! fs.suid_dumpable is 1 none does. That is before the tracepoint `sched_process_exec` is passed, so that even this exec is not
//! counted; and it holds for root's counters too, who could watch the program by other ways. A counter on the CPUs, with a
//! filter for the process, goes on.
//!
//! (Our own program, which is told nothing here, exits with 2.)
//!
//! Who concludes from a counter that is zero that no program was started, takes a program that faults by itself for a start
//! that the kernel gave up.
//!
//! See perf_event_open(2), and proc_sys_fs(5), `suid_dumpable`.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use nix::unistd::{Uid, chown, pipe, read, write};

use crate::need::needs::EXECS;
use crate::scenario::{Scenario, System, USER, fork_start, needs, reap};
use crate::sys::{Invocation, Passes};

pub const SCENARIO: Scenario = Scenario {
    summary: "a counter on a task is taken off by an exec that gives rights",
    needs: &[needs::EXEC_COUNTER, needs::OWN_SETTINGS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    system.ours("plain")?;
    system.ours("set")?;
    chown("/tmp/set", Some(Uid::from_raw(USER)), None)?;
    fs::set_permissions("/tmp/set", Permissions::from_mode(0o4755))?;
    for (what, path) in [
        ("a plain program", "/tmp/plain"),
        ("one of another user's id", "/tmp/set"),
    ] {
        system.fact(what, counted(path)?)?;
    }
    Ok(())
}

/// How many execs are counted of a child that executes this program.
fn counted(path: &str) -> Result<String> {
    let id = fs::read_to_string(EXECS).with_context(|| format!("failed to read {EXECS}"))?;
    let id = id.trim().parse().context("failed to read a number")?;
    let path = CString::new(path)?;
    let (gate, opener) = pipe().context("failed to make a gate")?;
    let child = fork_start(|| {
        read(&gate, &mut [0])?;
        Invocation::new(std::slice::from_ref(&path), &[]).execve(&path)
    })?;
    let task = Passes::of(child.as_raw(), id)?;
    let cpus = Passes::filtered(id, &CString::new(format!("pid == {child}"))?)?;
    write(&opener, &[1])?;
    let end = reap(child)?;
    let (task, cpus) = (task.count()?, cpus.count()?);
    Ok(format!("{task} on the task, {cpus} on the CPUs; {end}"))
}
