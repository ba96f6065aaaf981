//! The audit subsystem, by its multicast group: no daemon is needed, and none is disturbed.
//!
//! Records are queued and sent by a thread of the kernel (`kauditd_thread` in kernel/audit.c), so that
//! they have no place among the steps. A word of ours, queued after the last of them, says when all
//! have come.

mod message;

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, send, setsockopt, sockopt};

use super::{Kind, Observer, Watch, broken};
use crate::event::{self, Report, calls};
use crate::need::{Host, Need};
use crate::stages;
use crate::sys;
use crate::trail::LabKind;
use crate::wire::{Failure, Lost, until};

/// Audited, a process passes one stage more, which the tracer of stages leaves out.
pub const KIND: Kind = Kind {
    name: "audit",
    needs: &[
        Need {
            what: "a virtual machine: audit rules are the whole machine's",
            host: Host::Vm,
            probe: |lab| lab == LabKind::Vm,
        },
        Need {
            what: "auditing of system calls (CONFIG_AUDITSYSCALL)",
            host: Host::Config("CONFIG_AUDITSYSCALL"),
            probe: |_| sys::netlink(NETLINK_AUDIT).is_ok(),
        },
    ],
    wants: &[],
    takes: None,
    make: || Box::new(Audit::default()),
};

/// `NETLINK_AUDIT` of include/uapi/linux/netlink.h.
const NETLINK_AUDIT: i32 = 9;
/// Everybody who reads the log (`AUDIT_NLGRP_READLOG`), as a bit.
const READERS: u32 = 1;
/// Bytes that may wait.
const BUFFER: usize = 4 << 20;

/// One socket for the whole boot.
#[derive(Debug, Default)]
struct Audit {
    socket: Option<OwnedFd>,
    /// How many records were lost before this watch.
    lost: u32,
    /// How many watches there were, which tells our words apart.
    watches: usize,
}

impl Audit {
    fn open(&mut self) -> Result<()> {
        let socket = sys::netlink(NETLINK_AUDIT).context("failed to make an audit socket")?;
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .context("failed to enlarge its buffer")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, READERS))
            .context("failed to join the readers of the log")?;
        let socket = self.socket.insert(socket);
        tell(socket, message::SET, &message::status())?;
        for rule in message::RULES {
            tell(socket, message::ADD_RULE, &message::rule(rule))?;
        }
        Ok(())
    }

    fn socket(&self) -> Result<&OwnedFd> {
        self.socket.as_ref().context("auditing was not set up")
    }

    /// Says a word, and reads everything that comes before it.
    fn until_now(&mut self, deadline: Instant) -> Result<Vec<(u16, String)>> {
        self.watches += 1;
        let word = format!("exetrail {}", self.watches);
        let socket = self.socket()?;
        tell(socket, message::GET, &[])?;
        tell(socket, message::WORD, format!("{word}\0").as_bytes())?;
        let mut records = Vec::new();
        let (mut status, mut heard) = (None, false);
        while status.is_none() || !heard {
            let bytes = receive(socket, deadline).with_context(|| {
                format!(
                    "the log does not come to its end after {} records",
                    records.len()
                )
            })?;
            let (kind, data) = message::parse(&bytes).context("an audit message is cut")?;
            let text = String::from_utf8_lossy(data);
            match kind {
                message::GET => status = message::lost(data),
                message::WORD => heard = text.contains(&format!("{word}'")) || heard,
                kind => records.push((kind, text.trim_end_matches('\0').to_owned())),
            }
        }
        self.lost = status.unwrap_or_default();
        Ok(records)
    }
}

impl Observer for Audit {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        self.open().map_err(broken)
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        watch.added.push(stages::AUDIT);
        // What was recorded before is nobody's.
        self.until_now(watch.deadline).map(drop).map_err(broken)
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<super::Statement>, Failure> {
        let before = self.lost;
        let records = self.until_now(watch.deadline).map_err(broken)?;
        let records: Vec<_> = records
            .iter()
            .map(|(kind, text)| (*kind, text.as_str()))
            .collect();
        let raw = calls(&records).map_err(|what| broken(anyhow!("a record is {what}")))?;
        let report = Report {
            events: event::place(&watch.run, raw),
            ..Report::default()
        };
        let missed = u64::from(self.lost.wrapping_sub(before));
        let report = super::Statement::of(&report, Lost { missed });
        report.map(Some).map_err(broken)
    }

    fn abandon(&mut self) {}
}

fn tell(socket: &OwnedFd, kind: u16, data: &[u8]) -> Result<()> {
    let message = message::message(kind, data);
    let sent = send(socket.as_raw_fd(), &message, MsgFlags::empty());
    sent.map(drop)
        .with_context(|| format!("failed to send audit message {kind}"))
}

/// The next message.
fn receive(socket: &OwnedFd, deadline: Instant) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::EAGAIN) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno).context("failed to read an audit socket"),
        }
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, until(deadline)) {
            Ok(0) => bail!("the time is over"),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for an audit message"),
        }
    }
}
