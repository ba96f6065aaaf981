//! The process connector: the kernel's messages about processes, by netlink.
//!
//! Of an exec it tells ids and nothing else, so whoever uses it looks the rest up in `/proc`, some time later.
//! When that is, is random; here it is the next step of the process that the monitor holds, or
//! never, when the process has no further step. Messages are taken out of the socket at each step,
//! which places them: the kernel puts them there before the process goes on (`proc_exec_connector`
//! in drivers/connector/cn_proc.c is called by the process itself).

mod message;

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, send, setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::look::{look, show_cgroups};
use super::notes::Notes;
use super::{Held, HeldHook, Kind, Observer, OnHeld, Watch, broken};
use crate::event::{self, Fields, Raw, Report};
use crate::need::{Host, Need};
use crate::sys;
use crate::trail::{LabKind, Run, own};
use crate::wire::{Failure, Lost, until};

/// Armed before the monitor, which empties the socket at each step.
pub const KIND: Kind = Kind {
    name: "proc-connector",
    needs: &[
        Need::vm("a virtual machine: the connector tells of the whole machine"),
        Need {
            what: "the process connector (CONFIG_PROC_EVENTS)",
            host: Host::Config("CONFIG_PROC_EVENTS"),
            probe: |_| Socket::open().is_ok(),
        },
    ],
    wants: &[],
    takes: None,
    make: || Box::new(Connector::default()),
};

/// `NETLINK_CONNECTOR` of include/uapi/linux/netlink.h.
const NETLINK_CONNECTOR: i32 = 11;
/// The group of events of processes (`CN_IDX_PROC`).
const GROUP: u32 = 1;
/// Bytes that may wait: a start has a few dozen messages.
const BUFFER: usize = 1 << 20;

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
enum Note {
    /// A message, and how many steps came before it.
    Message(usize, Vec<u8>),
    /// What `/proc` said of a process at the step before which this many came.
    Look(usize, i32, Fields),
    /// The kernel had no room for messages.
    Overrun,
}

/// One socket a watch.
#[derive(Debug, Default)]
struct Connector {
    watch: Option<(Socket, Notes)>,
}

impl Observer for Connector {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        show_cgroups().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let begin = || {
            let (socket, notes) = (Socket::open()?, Notes::new()?);
            let hook = Drain {
                socket: socket.share()?,
                notes: notes.share()?,
                executed: Vec::new(),
            };
            Ok((socket, notes, hook))
        };
        let (socket, notes, hook) = begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(hook),
        });
        self.watch = Some((socket, notes));
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let Some((socket, mut notes)) = self.watch.take() else {
            return Ok(None);
        };
        let mut end = || {
            let after = watch.run.sightings.len();
            loop {
                socket.drain(after, &mut notes)?;
                let (raw, lost) = told(notes.all()?)?;
                let alive = alive(&watch.run, &raw);
                if alive.is_empty() || lost != Lost::default() {
                    return Ok((last_ends(raw), lost));
                }
                socket
                    .wait(watch.deadline)
                    .with_context(|| format!("no message tells of the end of {alive:?}"))?;
            }
        };
        let (raw, lost) = end().map_err(broken)?;
        let report = Report {
            events: event::place(&watch.run, raw),
            ..Report::default()
        };
        super::Statement::told(&report, lost)
    }

    fn abandon(&mut self) {
        self.watch = None;
    }
}

/// The events of the notes, and what is known to be missing.
fn told(notes: Vec<Note>) -> Result<(Vec<Raw>, Lost)> {
    let (mut raw, mut numbers, mut missed) = (Vec::new(), Vec::new(), 0);
    for note in notes {
        match note {
            Note::Message(after, bytes) => {
                let Some(message) = message::parse(&bytes, Some(after)) else {
                    bail!(
                        "a message of {} bytes is no event of a process",
                        bytes.len()
                    );
                };
                // The answer to our own message belongs to no CPU.
                if message.number.0 != u32::MAX {
                    numbers.push(message.number);
                }
                raw.extend(message.raw);
            }
            Note::Look(after, pid, fields) => raw.push(Raw {
                kind: event::Kind::Look,
                source: "/proc".to_owned(),
                tid: pid,
                pid: Some(pid),
                child: None,
                after: Some(after),
                fields,
            }),
            Note::Overrun => missed += 1,
        }
    }
    missed += message::missing(&numbers);
    Ok((
        raw,
        Lost {
            missed,
            ..Lost::default()
        },
    ))
}

/// The events without the ends of threads, and those of a leader that another thread replaces.
///
/// A thread's message comes after everybody could see that it has ended, and so does not come before
/// or after what the others do: `exit_notify` comes before `proc_exit_connector` in kernel/exit.c.
fn last_ends(raw: Vec<Raw>) -> Vec<Raw> {
    let is_end = |raw: &Raw| raw.kind == event::Kind::Exit;
    let mut last = BTreeMap::new();
    for (place, raw) in raw.iter().enumerate() {
        if raw.pid == Some(raw.tid) && is_end(raw) {
            last.insert(raw.tid, place);
        }
    }
    let kept = raw.into_iter().enumerate();
    let kept = kept.filter(|(place, raw)| !is_end(raw) || last.get(&raw.tid) == Some(place));
    kept.map(|(_, raw)| raw).collect()
}

/// The processes of a run whose end was not told yet.
///
/// All of them have ended; but whoever waits for a process hears of it first.
fn alive(run: &Run, raw: &[Raw]) -> Vec<i32> {
    let mut alive = BTreeMap::new();
    for raw in raw.iter().filter(|raw| raw.pid == Some(raw.tid)) {
        alive.insert(raw.tid, raw.kind != event::Kind::Exit);
    }
    let own = own(run);
    let alive = alive
        .into_iter()
        .filter(|(pid, alive)| *alive && own.contains(pid));
    alive.map(|(pid, _)| pid).collect()
}

/// A socket that hears of every process of the machine.
#[derive(Debug)]
struct Socket(OwnedFd);

impl Socket {
    fn open() -> Result<Socket> {
        let fd = sys::netlink(NETLINK_CONNECTOR).context("failed to make a connector's socket")?;
        setsockopt(&fd, sockopt::RcvBufForce, &BUFFER).context("failed to enlarge its buffer")?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUP)).context("failed to join its group")?;
        let message = message::listen();
        send(fd.as_raw_fd(), &message, MsgFlags::empty()).context("failed to subscribe")?;
        Ok(Socket(fd))
    }

    fn share(&self) -> Result<Socket> {
        let fd = self.0.as_fd().try_clone_to_owned();
        Ok(Socket(fd.context("failed to share a socket")?))
    }

    /// Waits for a message.
    fn wait(&self, deadline: Instant) -> Result<()> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, until(deadline)) {
            Ok(0) => bail!("the time is over"),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno).context("failed to wait for a message"),
        }
    }

    /// Takes out what waits; returns the processes that executed something.
    fn drain(&self, after: usize, notes: &mut Notes) -> Result<Vec<i32>> {
        let mut executed = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    let bytes = &buffer[..length];
                    let raw = message::parse(bytes, None).and_then(|message| message.raw);
                    let raw = raw.filter(|raw| raw.kind == event::Kind::Exec);
                    executed.extend(raw.and_then(|raw| raw.pid));
                    notes.add(&Note::Message(after, bytes.to_vec()))?;
                }
                Err(Errno::EAGAIN) => return Ok(executed),
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => notes.add(&Note::Overrun)?,
                Err(errno) => return Err(errno).context("failed to read a connector's socket"),
            }
        }
    }
}

/// The hook that the monitor calls.
#[derive(Debug)]
struct Drain {
    socket: Socket,
    notes: Notes,
    /// Who executed something and was not looked at since.
    executed: Vec<i32>,
}

impl OnHeld for Drain {
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        let after = event.number - 1;
        let executed = self.socket.drain(after, &mut self.notes)?;
        self.executed.extend(executed);
        if self.executed.contains(&event.pid) {
            self.executed.retain(|pid| *pid != event.pid);
            let note = Note::Look(after, event.pid, look(event.pid));
            self.notes.add(&note)?;
        }
        Ok(())
    }
}
