//! The ends of a scenario's processes, and what programs of ours say until then.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitStatus;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;

use crate::sys;

/// How much programs have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// There may be more.
    Something,
    /// Nobody is left who could say anything.
    Everything,
}

/// Who is left to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Somebody,
    Nobody,
}

/// Who waits for every child, and reads meanwhile: a program that says more than a pipe holds waits for its reader.
#[derive(Debug)]
pub(super) struct Ends {
    ended: SignalFd,
    told: OwnedFd,
}

impl Ends {
    /// Takes the signals by which ends are told; call it before there is a child. `told` is what programs write to.
    pub fn new(told: OwnedFd) -> Result<Ends> {
        let ends = of_children();
        ends.thread_block().context("failed to block SIGCHLD")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let ended = SignalFd::with_flags(&ends, flags);
        let ended = ended.context("failed to listen for the ends of children")?;
        Ok(Ends { ended, told })
    }

    /// Waits until no descendant is left, and gives each end to `reaped`; what programs have said.
    pub fn wait(self, mut reaped: impl FnMut(Pid, ExitStatus)) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut said = Said::Something;
        loop {
            // Signals are forgotten before ends are looked for: an end that comes later is told anew.
            while let Ok(Some(_)) = self.ended.read_signal() {}
            if reap_all(&mut reaped)? == Left::Nobody {
                break;
            }
            let mut fds = [
                PollFd::new(self.ended.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.told.as_fd(), PollFlags::POLLIN),
            ];
            let waited = match said {
                Said::Something => &mut fds[..],
                // That everybody has hung up would be told again and again.
                Said::Everything => &mut fds[..1],
            };
            match poll(waited, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait for ends"),
            }
            if waited.get(1).is_some_and(|fd| fd.any().unwrap_or(true)) {
                said = self.read(&mut text)?;
            }
        }
        while said == Said::Something {
            said = self.read(&mut text)?;
        }
        Ok(text)
    }

    /// Reads what is there, or waits for it.
    fn read(&self, text: &mut Vec<u8>) -> Result<Said> {
        let mut piece = [0; 4096];
        loop {
            match nix::unistd::read(&self.told, &mut piece) {
                Err(Errno::EINTR) => {}
                length => {
                    let length = length.context("failed to hear of what programs were told")?;
                    text.extend_from_slice(&piece[..length]);
                    return Ok(match length {
                        0 => Said::Everything,
                        _ => Said::Something,
                    });
                }
            }
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // Of one that is pending the default is to forget it.
        let _ = of_children().thread_unblock();
    }
}

fn of_children() -> SigSet {
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGCHLD);
    ends
}

/// Reaps everybody who has ended.
fn reap_all(reaped: &mut impl FnMut(Pid, ExitStatus)) -> Result<Left> {
    loop {
        match sys::reap(None, WaitPidFlag::WNOHANG) {
            Ok(Some((pid, status))) => reaped(pid, status),
            Ok(None) => return Ok(Left::Somebody),
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(Left::Nobody),
            Err(errno) => return Err(errno).context("failed to wait for the scenario's processes"),
        }
    }
}
