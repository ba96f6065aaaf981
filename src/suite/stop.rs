//! Ctrl-C, told to everybody who waits.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Becomes readable when the user wants to stop, and stays so: nobody reads it.
#[derive(Debug)]
pub struct Stop(SignalFd);

impl Stop {
    /// Takes SIGINT, SIGTERM and SIGHUP; call it before any thread is started.
    ///
    /// # Errors
    ///
    /// What signalfd(2) says.
    pub fn listen() -> Result<Stop> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            mask.add(signal);
        }
        mask.thread_block().context("failed to block signals")?;
        let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .context("failed to listen for signals")?;
        Ok(Stop(fd))
    }

    /// Whether the user wants to stop.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
