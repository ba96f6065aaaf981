//! The end of everybody whom a scenario leaves.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;

use super::report;
use crate::sys;
use crate::wire::until;

/// Kills and reaps everything that is left of a scenario.
///
/// The monitor is gone by now, and nobody waits for its answer; what cannot be killed even so is
/// stuck in the kernel, and then the scenario is broken. Whoever is below the process that is
/// spared lives on, and that one too.
pub fn end_everybody(children: &SignalFd, spared: Option<i32>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    if let Some(spared) = spared {
        return end_all_but(spared, children, deadline);
    }
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => bail!("failed to end what the scenario left: {errno}"),
    }
    loop {
        match sys::reap(None, WaitPidFlag::WNOHANG) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(None) => {
                let mut fds = [PollFd::new(children.as_fd(), PollFlags::POLLIN)];
                if poll(&mut fds, until(deadline)) == Ok(0) {
                    bail!(
                        "what the scenario left cannot be killed: {}",
                        report::living()
                    );
                }
                // One signal may stand for several children: the loop reaps until none is ready.
                while let Ok(Some(_)) = children.read_signal() {}
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to reap"),
        }
    }
}

/// Kills and reaps everybody who is not below this process, one look at the list after the other: somebody
/// may fork while it is read.
fn end_all_but(spared: i32, children: &SignalFd, deadline: Instant) -> Result<()> {
    loop {
        while let Ok(Some(_)) = sys::reap(None, WaitPidFlag::WNOHANG) {}
        let left = report::others(spared);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "what the scenario left cannot be killed: {}",
                report::living()
            );
        }
        for pid in left {
            // One that has ended meanwhile is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let mut fds = [PollFd::new(children.as_fd(), PollFlags::POLLIN)];
        // A grandchild's end reaches us with its parent's.
        let soon = Instant::now() + Duration::from_millis(20);
        let _ = poll(&mut fds, until(soon.min(deadline)));
        while let Ok(Some(_)) = children.read_signal() {}
    }
}

/// Becomes readable when a child ends.
pub fn child_signals() -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}
