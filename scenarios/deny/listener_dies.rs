//! A listener dies while it holds an event. Every event of the start is the one that it dies at, in turn.
//!
//! When the group's last descriptor is closed, the kernel allows every event that waits (`fanotify_release` answers with
//! `FAN_ALLOW`): the program starts, and nobody watches any more. A policy whose daemon alone holds the descriptor fails
//! open, not closed, while that daemon is being restarted.
//!
//! Where another process holds the descriptor as well, the death of the listener releases nobody: the held thread waits until
//! that process closes it.
//!
//! Finding: the held process may itself be that other holder. `FAN_CLOEXEC` closes a descriptor past the point of no return,
//! and the events of a program come before. So a child of a listener that has not closed the group itself waits for its own
//! descriptor, and only a signal that kills the child ends the wait.
//!
//! See [c:fanotify-close-allows]; fanotify_init(2), `FAN_CLOEXEC`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pause};

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{EVENTS_OF_TRUE, Elf, Exec, Scenario, System, fork_start, reap};
use crate::sys::{self, ForkResult, Invocation};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener dies while it holds an event",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    let place = system.directory("watched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("watched/program", &Elf::new().build(), 0o755)?;
    let (alone, shared) = (End::Closes, End::Keeps);
    system.fact("another process has the descriptor", dies(&place, alone)?)?;
    system.fact("the held process has it too", dies(&place, shared)?)?;
    let exec = Exec::path("/usr/bin/true")?;
    for (nth, event) in (1..).zip(EVENTS_OF_TRUE) {
        system.refuse(&exec, Act::Die, nth, event)?;
    }
    Ok(())
}

/// What the process that is held has done with the descriptor that it inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closes,
    Keeps,
}

/// A listener dies, then we close the descriptor as well: whether the start is held after each.
fn dies(place: &Path, own: End) -> Result<String> {
    let mut group = Group::new(Ids::Process, Class::Content)?;
    group.watch_filesystem(place)?;
    let listener = match sys::fork().context("failed to fork")? {
        ForkResult::Child => loop {
            pause();
        },
        ForkResult::Parent { child } => child,
    };
    let start = fork_start(|| {
        if own == End::Closes {
            sys::close_fds_from(3, u32::MAX)?;
        }
        Invocation::new(&[], &[]).execve(c"/tmp/watched/program")
    })?;
    while !is_held(start) {
        std::thread::yield_now();
    }
    let events = group.read()?;
    let files = events.iter().map(|event| sys::adopt_fd(event.fd));
    let files: Vec<_> = files.collect();
    kill(listener, Signal::SIGKILL).context("failed to kill the listener")?;
    // Its descriptors are closed before it can be reaped.
    waitpid(listener, None).context("failed to reap the listener")?;
    ensure!(is_held(start), "the start was let go with the listener");
    drop((files, group));
    let closed = match own {
        End::Closes => reap(start)?,
        End::Keeps => {
            ensure!(is_held(start), "the start was let go by nobody");
            kill(start, Signal::SIGKILL).context("failed to kill the start")?;
            format!("held; when it is killed {}", reap(start)?)
        }
    };
    Ok(format!(
        "held when the listener has died; when that is closed {closed}"
    ))
}

/// Whether a process sleeps in its execve(2) so that only a fatal signal ends the sleep, as it does while it waits for an
/// answer. One that was woken does not, even before it runs.
fn is_held(pid: Pid) -> bool {
    /// execve in the 64-bit table of system calls.
    const EXECVE: &str = "59 ";
    let read = |name| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    read("syscall").starts_with(EXECVE) && read("status").contains("\nState:\tD")
}
