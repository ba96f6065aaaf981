//! The signals that both processes take by reading, and those that they never take.

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::sys;

/// Blocks what is read by [`listen`], and what would stop this process and everybody who waits for it.
///
/// A child has the same signals blocked. SIGSTOP cannot be.
///
/// # Errors
///
/// What sigprocmask(2) says.
pub fn block() -> Result<()> {
    let mut blocked = heard();
    // They stay pending for ever.
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        blocked.add(signal);
    }
    blocked.thread_block().context("failed to block signals")
}

/// Becomes readable at a signal.
///
/// # Errors
///
/// What signalfd(2) says.
pub fn listen() -> Result<SignalFd> {
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&heard(), flags).context("failed to listen for signals")
}

fn heard() -> SigSet {
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD] {
        mask.add(signal);
    }
    // Where nohup(1) has it ignored it stays so.
    if !sys::is_ignored(Signal::SIGHUP) {
        mask.add(Signal::SIGHUP);
    }
    mask
}
