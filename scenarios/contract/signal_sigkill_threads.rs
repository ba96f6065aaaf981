//! SIGKILL ends all other threads that have not ended yet: no mask protects a thread, and no wait that a fatal signal can end.
//! For a thread in a sleep that no signal ends (`TASK_UNINTERRUPTIBLE`) the call waits.
//!
//! `de_thread` (fs/exec.c) calls `zap_other_threads` (kernel/signal.c), which puts SIGKILL into the queue of each other thread
//! that has not ended, and wakes it. `de_thread` then waits until they are gone.
//!
//! Two threads block every signal that the C library leaves to programs: one is asleep and one computes. A third that blocks
//! them is the leader, when another thread calls. One more shows that the signal is SIGKILL: it waits (`TASK_UNINTERRUPTIBLE`)
//! for the lock of a pipe, which belongs to a writer that is held in the middle of its write. SIGKILL is pending for that
//! thread, and the call goes on when the writer does. Its status would not tell: a thread that ends for an exec ends with 0
//! (`do_group_exit`).
//!
//! No thread ends when the call fails before the point of no return, except, on 5.10, the workers of an io_uring. A process that
//! only shares memory (vfork) is not a thread of this one: see `contract/effect_vfork_parent`.
//!
//! See [c:execve-threads].

use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{pipe2, read};

use crate::scenario::{Args, Evidence, Exec, Pair, Scenario, System, needs};
use crate::subject::say;
use crate::sys::{self, FaultPages};

pub const SCENARIO: Scenario = Scenario {
    summary: "SIGKILL goes to all other threads",
    needs: &[needs::USERFAULTFD],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
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
    let stuck = |path: &str, fails: bool| {
        Exec::by(
            "execve beside a thread that no signal wakes",
            path,
            move |args| {
                let told = queue(args, fails).unwrap_or_else(|error| format!("{error:#}"));
                // Where this fails, nothing was said, and the scenario notices.
                let _ = say("pending", told);
                Ok(())
            },
        )
    };
    let what = "a thread that no signal wakes, a call that fails";
    let seen = system.look(what, &stuck("/tmp/none", true)?)?;
    claim.control(what, "none", seen.found("pending")?)?;
    let what = "pending for a thread that no signal wakes";
    let seen = system.look(what, &stuck("/usr/bin/true", false)?)?;
    claim.stated(what, "SIGKILL", seen.found("pending")?);
    system.verdict(&claim)
}

/// What is pending for a thread in an uninterruptible sleep when its leader's call has failed or waits for it.
fn queue(args: &Args<'_>, fails: bool) -> Result<String> {
    const KILL: u64 = 1 << (libc::SIGKILL - 1);
    let pages = FaultPages::new(b"told")?;
    let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
    let pair = Pair::fork(|| args.execve(), || read(&output, &mut [0]).map(drop))?;
    let pending = std::thread::scope(|scope| {
        scope.spawn(|| pages.write_to(input.as_fd()));
        pages.wait()?;
        pair.follow()?;
        until(|| Ok(pair.status("State")?.starts_with('D')))?;
        pair.lead()?;
        let pending = || anyhow::Ok(u64::from_str_radix(&pair.status("SigPnd")?, 16)?);
        match fails {
            true => pair.failed()?,
            false => until(|| Ok(pending()? != 0))?,
        }
        let pending = pending();
        pages.release()?;
        pending
    })?;
    if fails {
        pair.lead()?;
    }
    waitpid(pair.leader, None)?;
    Ok(match pending {
        0 => "none".to_owned(),
        KILL => "SIGKILL".to_owned(),
        other => format!("{other:#x}"),
    })
}

/// Polls until it is so.
fn until(is: impl Fn() -> Result<bool>) -> Result<()> {
    while !is()? {
        std::thread::yield_now();
    }
    Ok(())
}

/// Makes the call beside two threads that block every signal and never end of themselves.
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
