//! The log of the audit subsystem, by its multicast group: no daemon is needed, and none is disturbed.
//!
//! Records are queued and sent by a thread of the kernel (`kauditd_thread` in kernel/audit.c), so that
//! they have no place among the steps. A word of ours, queued after the last of them, says when all
//! have come. Observers whose reports are records read them here.

mod message;

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, send, setsockopt, sockopt};

use crate::sys;
use crate::wire::{Lost, until};

/// `NETLINK_AUDIT` of include/uapi/linux/netlink.h.
const NETLINK_AUDIT: i32 = 9;
/// Everybody who reads the log (`AUDIT_NLGRP_READLOG`), as a bit.
const READERS: u32 = 1;
/// Bytes that may wait.
const BUFFER: usize = 4 << 20;

/// A record: its type, and its text.
pub type LogRecord = (u16, String);

/// A reader of the log, for a whole boot.
#[derive(Debug)]
pub struct Log {
    socket: OwnedFd,
    /// How many records were lost before this watch.
    lost: u32,
    /// How many watches there were, which tells our words apart.
    watches: usize,
}

impl Log {
    /// Turns auditing on, and reads what is recorded from now on.
    ///
    /// # Errors
    ///
    /// What the calls say: `EPERM` without CAP_AUDIT_READ and CAP_AUDIT_CONTROL.
    pub fn open() -> Result<Log> {
        let socket = sys::netlink(NETLINK_AUDIT).context("failed to make an audit socket")?;
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .context("failed to enlarge its buffer")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, READERS))
            .context("failed to join the readers of the log")?;
        let log = Log {
            socket,
            lost: 0,
            watches: 0,
        };
        log.tell(message::SET, &message::status())?;
        Ok(log)
    }

    /// Whether the kernel has such a log.
    #[must_use]
    pub fn is_there() -> bool {
        sys::netlink(NETLINK_AUDIT).is_ok()
    }

    /// Has the kernel record each exec when the call ends.
    ///
    /// # Errors
    ///
    /// What send(2) says.
    pub fn record_execs(&self) -> Result<()> {
        let mut rules = message::RULES.into_iter();
        rules.try_for_each(|rule| self.tell(message::ADD_RULE, &message::rule(rule)))
    }

    /// Says a word, and reads everything that comes before it, with how many records were lost meanwhile.
    ///
    /// # Errors
    ///
    /// The word does not come before the deadline.
    pub fn until_now(&mut self, deadline: Instant) -> Result<(Vec<LogRecord>, Lost)> {
        self.watches += 1;
        let word = format!("exetrail {}", self.watches);
        self.say(&word)?;
        let mut records = Vec::new();
        let (mut status, mut heard) = (None, false);
        let (mut overruns, mut overrun) = (0, false);
        while status.is_none() || !heard {
            let until = if overrun { Instant::now() } else { deadline };
            let bytes = match receive(&self.socket, until)? {
                Heard::Message(bytes) => bytes,
                Heard::Overrun => {
                    overruns += 1;
                    overrun = true;
                    continue;
                }
                // Our word may be among what had no room, and there is none before all else is read.
                Heard::Nothing if overrun => {
                    overrun = false;
                    self.say(&word)?;
                    continue;
                }
                Heard::Nothing => bail!(
                    "the log does not come to its end after {} records: the time is over",
                    records.len()
                ),
            };
            let (kind, data) = message::parse(&bytes).context("an audit message is cut")?;
            let text = String::from_utf8_lossy(data);
            match kind {
                message::GET => status = message::lost(data),
                message::WORD => heard = text.contains(&format!("{word}'")) || heard,
                kind => records.push((kind, text.trim_end_matches('\0').to_owned())),
            }
        }
        let before = std::mem::replace(&mut self.lost, status.unwrap_or_default());
        let missed = u64::from(self.lost.wrapping_sub(before)) + overruns;
        Ok((
            records,
            Lost {
                missed,
                ..Lost::default()
            },
        ))
    }

    /// Asks how many records were lost, and says a word that comes after all that is queued.
    fn say(&self, word: &str) -> Result<()> {
        self.tell(message::GET, &[])?;
        self.tell(message::WORD, format!("{word}\0").as_bytes())
    }

    fn tell(&self, kind: u16, data: &[u8]) -> Result<()> {
        let message = message::message(kind, data);
        let sent = send(self.socket.as_raw_fd(), &message, MsgFlags::empty());
        sent.map(drop)
            .with_context(|| format!("failed to send audit message {kind}"))
    }
}

/// What there is to hear.
enum Heard {
    Message(Vec<u8>),
    /// The socket had no room for some, as netlink(7) says of ENOBUFS.
    Overrun,
    /// The time is over.
    Nothing,
}

/// The next message.
fn receive(socket: &OwnedFd, deadline: Instant) -> Result<Heard> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Heard::Message(buffer));
            }
            Err(Errno::ENOBUFS) => return Ok(Heard::Overrun),
            Err(Errno::EAGAIN) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno).context("failed to read an audit socket"),
        }
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, until(deadline)) {
            Ok(0) => return Ok(Heard::Nothing),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for an audit message"),
        }
    }
}
