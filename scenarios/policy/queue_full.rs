//! A listener whose queue is full is not asked: the program runs.
//!
//! A group without `FAN_UNLIMITED_QUEUE` holds as many events as `fs.fanotify.max_queued_events` says when the group is made,
//! 16384 if nobody changed it. The kernel drops a permission event that finds the queue full, and whoever would have waited
//! for its answer goes on (`fanotify_handle_event` in fs/notify/fanotify/fanotify.c: an event that was not queued is
//! destroyed and the result is 0). All that the listener reads of it is one `FAN_Q_OVERFLOW`.
//!
//! Here the limit is three and nobody reads: of six execs three are held and three run to their end. With an unlimited queue
//! all six are held.
//!
//! What to do: `FAN_UNLIMITED_QUEUE`, which takes `CAP_SYS_ADMIN`. Without it, treat `FAN_Q_OVERFLOW` as programs that ran
//! unasked. See fanotify_init(2), `FAN_UNLIMITED_QUEUE`, and fanotify(7).

use std::path::Path;

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::AsFd as _;

use crate::observer::fanotify::{Class, Group, Ids};
use crate::scenario::{Elf, Listener, Refuses, Scenario, System, answer, fork_start, needs};
use crate::sys::{self, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "a full queue lets execs pass unasked",
    needs: &[needs::OWN_SETTINGS],
    run,
    ..Scenario::DEFAULT
};

/// How many programs are started.
const STARTS: usize = 6;

fn run(system: &mut System) -> anyhow::Result<()> {
    let place = system.directory("watched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("watched/program", &Elf::new().build(), 0o755)?;
    system.sysctl("fs/fanotify/max_queued_events", "3")?;
    let bounded = full(Group::bounded(Class::Content)?, &place)?;
    system.fact("queue of three", bounded)?;
    let unlimited = Group::new(Ids::Process, Class::Content)?;
    system.fact("unlimited queue", held(unlimited, &place)?)
}

fn starts() -> anyhow::Result<()> {
    for _ in 0..STARTS {
        fork_start(|| Invocation::new(&[], &[]).execve(c"/tmp/watched/program"))?;
    }
    Ok(())
}

/// Starts the programs, waits for those that run without an answer, then answers.
fn full(group: Group, place: &Path) -> anyhow::Result<String> {
    group.watch_filesystem(place)?;
    starts()?;
    let passed = STARTS - 3;
    for _ in 0..passed {
        ended()?;
    }
    let mut listener = Listener {
        name: "",
        group,
        refuses: Refuses::Nothing,
    };
    let mut overflows = 0;
    let mut held = 0;
    for event in listener.group.read()? {
        if event.fd < 0 {
            overflows += 1;
            continue;
        }
        held += 1;
        let file = sys::adopt_fd(event.fd);
        listener.group.allow(file.as_fd())?;
    }
    // Each of those is asked about the open as well.
    let mut asked = 0;
    while asked < held {
        wait(&listener.group)?;
        asked += answer(&mut listener)?.len();
    }
    for _ in 0..held {
        ended()?;
    }
    Ok(format!(
        "{passed} of {STARTS} ran unasked, {held} were held, FAN_Q_OVERFLOW {overflows}"
    ))
}

/// Starts the programs and waits until every one of them is held.
fn held(group: Group, place: &Path) -> anyhow::Result<String> {
    group.watch_filesystem(place)?;
    starts()?;
    let mut listener = Listener {
        name: "",
        group,
        refuses: Refuses::Nothing,
    };
    // Nobody is answered before all have come.
    let mut files = Vec::new();
    while files.len() < STARTS {
        wait(&listener.group)?;
        let events = listener.group.read()?;
        files.extend(events.iter().map(|event| sys::adopt_fd(event.fd)));
    }
    for file in &files {
        listener.group.allow(file.as_fd())?;
    }
    let mut asked = 0;
    while asked < STARTS {
        wait(&listener.group)?;
        asked += answer(&mut listener)?.len();
    }
    for _ in 0..STARTS {
        ended()?;
    }
    Ok(format!(
        "0 of {STARTS} ran unasked, {} were held",
        files.len()
    ))
}

fn wait(group: &Group) -> anyhow::Result<()> {
    let mut fds = [PollFd::new(group.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE)
        .context("failed to wait for events")
        .map(drop)
}

/// Waits for one program, which has to end well.
fn ended() -> anyhow::Result<()> {
    let status = waitpid(None::<Pid>, None).context("failed to wait")?;
    let well = matches!(status, WaitStatus::Exited(_, 0));
    anyhow::ensure!(well, "a program ended as {status:?}");
    Ok(())
}
