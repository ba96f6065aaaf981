//! SIGKILL arrives while a listener has to answer for a file that the exec opens: the call fails, and the process ends by the
//! signal. SIGTERM does the same where it is fatal. After a fatal signal that dumps core the exec of a process with one thread
//! succeeds, and the new program dies of it before it opens anything.
//!
//! The monitor holds the open of a file, and the process gets the signal meanwhile. SIGKILL ends the wait, and nothing more is
//! opened: `fatal_signal_pending` (include/linux/sched/signal.h) is true for a thread that has a signal pending, and has SIGKILL
//! in its own queue. `complete_signal` (kernel/signal.c) puts SIGKILL there for every fatal signal except those that dump core
//! (`sig_kernel_coredump`), because all threads must be there for the dump. In a traced process it does so for SIGKILL alone.
//!
//! So with SIGQUIT and SIGABRT every check on the way passes. The kernel opens the loader as always, and acts upon the signal at
//! the return to user space, which is in the new image by then. Where another thread takes the signal, its dump kills the one
//! that executes (`zap_process` in fs/coredump.c).
//!
//! SIGTERM comes while a listener of the scenario's own holds the open and never answers. Only a signal that puts SIGKILL into
//! the thread's queue ends such a wait (`fanotify_get_response`).
//!
//! The control: a signal that is blocked is not fatal yet, and the new program runs to its end.
//!
//! See signal(7), Term and Core, and `bprm_execve` in fs/exec.c.

use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{
    Elf, Evidence, Exec, Listener, Refuses, Scenario, System, fork_start, hear, needs, reap,
};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "a pending SIGKILL or SIGTERM fails the call, SIGQUIT does not",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    let mut claim = Evidence::new("signal/fatal_pending");
    let exec = Exec::path("/usr/bin/true")?;
    // Two events each of the program and its loader: all before the program runs.
    for nth in 1..=4 {
        try_signal(system, &mut claim, &exec, Signal::SIGKILL, nth)?;
    }
    let place = system.directory("held")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("held/program", &Elf::new().build(), 0o755)?;
    let answered = hear(&mut [listener(&place)?], start)?;
    claim.control("answered", "execute, open; exit 0", answered)?;
    let got = unanswered(listener(&place)?.group, Signal::SIGTERM)?;
    claim.stated("SIGTERM, no answer", "signal SIGTERM", &got);
    system.fact("SIGTERM while the open has no answer", got)?;
    for signal in [Signal::SIGQUIT, Signal::SIGABRT] {
        try_signal(system, &mut claim, &exec, signal, 1)?;
    }
    let blocked = exec.before(|| {
        sys::block(libc::SIGTERM)?;
        Ok(sys::send_to_thread(libc::SIGTERM)?)
    });
    let seen = system.look("SIGTERM pending and blocked", &blocked)?;
    claim.control("SIGTERM pending and blocked", "exit 0", &seen.how)?;
    system.verdict(&claim)
}

fn start() -> nix::Result<()> {
    Invocation::new(&[], &[]).execve(c"/tmp/held/program")
}

fn listener(place: &Path) -> Result<Listener> {
    let group = Group::new(Ids::Process, Class::Content)?;
    group.watch_filesystem(place)?;
    Ok(Listener {
        name: "",
        group,
        refuses: Refuses::Nothing,
    })
}

/// How a start ends that gets a signal at its first event, which nobody answers.
fn unanswered(mut group: Group, signal: Signal) -> Result<String> {
    let child = fork_start(start)?;
    let mut fds = [PollFd::new(group.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).context("failed to wait for an event")?;
    let events = group.read()?;
    let event = events.first().context("a group without an event")?;
    let _file = sys::adopt_fd(event.fd);
    kill(child, signal).context("failed to send a signal")?;
    // The group lives until here: its end would answer the event.
    reap(child)
}

fn try_signal(
    system: &mut System,
    claim: &mut Evidence,
    exec: &Exec,
    signal: Signal,
    nth: usize,
) -> Result<()> {
    let seen = system.signalled(exec, signal, nth)?;
    let opens = |nth: usize| format!("signal {signal} in execve after event {nth}");
    let got = format!("{} after event {}", seen.how, seen.events.len());
    claim.stated(&format!("{signal} at event {nth}"), opens(nth), got);
    Ok(())
}
