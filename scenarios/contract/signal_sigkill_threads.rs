//! All other threads end by SIGKILL: no mask keeps one, and no wait that a fatal signal ends. For one that sleeps where
//! none reaches it (`TASK_UNINTERRUPTIBLE`) the call waits.
//!
//! `de_thread` (fs/exec.c) calls `zap_other_threads` (kernel/signal.c), which puts SIGKILL into the
//! queue of each other thread that has not ended and wakes it, and waits until they are gone. Two threads block every
//! signal, one asleep and one that computes; a third is the leader, when another one calls.
//!
//! The other side: none ends when the call fails before the point of no return, but on 5.10 the workers of an io_uring; and a
//! process that only shares memory (vfork) is not a thread of this one: see `contract/effect_vfork_parent`.
//!
//! See [c:execve-threads].

use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

use crate::scenario::{Args, Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "SIGKILL goes to all other threads",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("signal/sigkill_threads");
    let fields = ["threads", "leader"];
    let failing = Exec::by("execve with threads", "/tmp/none", with_threads)?.reports(&fields)?;
    let seen = system.look("a call that fails", &failing)?;
    claim.control("a call that fails", "3", seen.found("threads")?)?;
    let exec = Exec::by("execve with threads", &reporter, with_threads)?.reports(&fields)?;
    let seen = system.look(
        "a thread asleep and one that computes, all signals blocked",
        &exec,
    )?;
    let what = "a thread asleep and one that computes, all signals blocked";
    claim.stated(what, "1", seen.found("threads")?);
    let exec = Exec::by("execve in a thread", &reporter, |args| {
        for number in sys::usable_signals() {
            sys::block(number)?;
        }
        args.execve_in_thread("worker")
    })?;
    let seen = system.look(
        "the leader, which blocks all signals",
        &exec.reports(&fields)?,
    )?;
    let what = "the leader, which blocks all signals";
    claim.stated(what, "1", seen.found("threads")?);
    system.verdict(&claim)
}

/// Makes the call beside two threads that block every signal and never end by themselves.
fn with_threads(args: &Args<'_>) -> nix::Result<()> {
    static READY: AtomicU32 = AtomicU32::new(0);
    for number in sys::usable_signals() {
        sys::block(number)?;
    }
    let thread = |body: fn()| {
        let thread = std::thread::Builder::new().spawn(move || {
            READY.fetch_add(1, Ordering::SeqCst);
            body();
        });
        thread.map(drop).map_err(|_| Errno::EAGAIN)
    };
    thread(|| {
        loop {
            std::thread::park();
        }
    })?;
    thread(|| {
        loop {
            std::hint::spin_loop();
        }
    })?;
    while READY.load(Ordering::SeqCst) != 2 {
        std::thread::yield_now();
    }
    args.execve()
}
