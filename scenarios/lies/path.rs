//! A sibling replaces the path of an exec between the entry of the call and the kernel's copy.
//!
//! The path lies in memory that all threads of the process can write to. A reader of that memory at the entry is told
//! `/tmp/as-told`, with one exception (see below). The kernel executes `/tmp/as-done`, which it finds when it copies the path
//! (`getname`). Nothing is left to chance here: a missing page behind the path holds the kernel in the middle of its copy, and
//! the sibling acts then (see [`while_copied`](crate::scenario::while_copied)).
//!
//! Finding: for a tracer that seccomp(2) calls, and for any other reader at the entry, the path that it reads is a claim of the
//! caller. What the kernel has copied (for an execve, as here, `bprm->filename`) is what was asked for. What it has opened is
//! what is executed. One reader at the entry is not deceived this way: the tracepoint of the call reads the string from 6.19 on,
//! with faults allowed. The same page holds it, and as another thread has run meanwhile it reads again (`trace_user_fault_read`
//! in kernel/trace/trace.c).
//!
//! See userfaultfd(2), ptrace(2).

use crate::scenario::{Args, Exec, Scenario, System, needs, while_copied};

pub const SCENARIO: Scenario = Scenario {
    summary: "a sibling replaces the path while the kernel copies it",
    needs: &[needs::USERFAULTFD],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/usr/bin/ls", "as-told")?;
    system.copy("/usr/bin/true", "as-done")?;
    system.observe(&Exec::by(
        "execve beside a writer",
        "/tmp/as-done",
        replace,
    )?)?;
    Ok(())
}

fn replace(args: &Args<'_>) -> nix::Result<()> {
    let act = |pages: &crate::sys::FaultPages| {
        pages.replace_end(b"done\0");
        Ok(())
    };
    while_copied(args, c"/tmp/as-told", act, |_| ())
}
