//! A process of two threads, whose parent says when the leader makes its call and when the other thread does its part.

use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Pid, gettid, pipe2, read, write};

use super::listener::FAILED;
use crate::proc::Status;
use crate::sys::{self, ForkResult};

/// Such a process, a child of ours.
#[derive(Debug)]
pub struct Pair {
    /// Its leader.
    pub leader: Pid,
    /// The other thread.
    pub other: Pid,
    lead: OwnedFd,
    follow: OwnedFd,
    heard: OwnedFd,
}

impl Pair {
    /// Forks it, and returns when both threads wait.
    ///
    /// # Errors
    ///
    /// It cannot be forked, or has no second thread.
    pub fn fork(
        call: impl FnOnce() -> nix::Result<()>,
        part: impl FnOnce() -> nix::Result<()> + Send,
    ) -> Result<Pair> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe");
        let ((led, lead), (followed, follow), (heard, tell)) = (pipe()?, pipe()?, pipe()?);
        let leader = match sys::fork().context("failed to fork")? {
            ForkResult::Child => {
                // Where the parent has ended nobody waits for ever.
                drop((lead, follow, heard));
                sys::exit_now(child(call, part, [&led, &followed, &tell]))
            }
            ForkResult::Parent { child } => child,
        };
        drop(tell);
        let mut other = [0; 4];
        let said = read(&heard, &mut other) == Ok(other.len());
        ensure!(said, "the thread did not say who it is");
        Ok(Pair {
            leader,
            other: Pid::from_raw(i32::from_ne_bytes(other)),
            lead,
            follow,
            heard,
        })
    }

    /// Has the other thread do its part.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn follow(&self) -> Result<()> {
        write(&self.follow, b"!").context("failed to have a part done")?;
        Ok(())
    }

    /// Has the leader make its call; if that fails, a second time has it end.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub fn lead(&self) -> Result<()> {
        write(&self.lead, b"!").context("failed to have a call made")?;
        Ok(())
    }

    /// Waits until the leader's call has failed.
    ///
    /// # Errors
    ///
    /// It has not.
    pub fn failed(&self) -> Result<()> {
        let said = read(&self.heard, &mut [0]).context("failed to hear of the call")?;
        ensure!(said == 1, "the call did not fail");
        Ok(())
    }

    /// A line of the other thread's status (proc_pid_status(5)), such as that of `State`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn status(&self, key: &str) -> Result<String> {
        let status = Status::of_thread(self.leader.as_raw(), self.other.as_raw());
        let status = status.with_context(|| format!("the thread {} is gone", self.other))?;
        let value = status.value(&format!("{key}:"));
        let value = value.with_context(|| format!("a status without {key}"))?;
        Ok(value.to_owned())
    }
}

/// The child's side; returns its exit status.
fn child(
    call: impl FnOnce() -> nix::Result<()>,
    part: impl FnOnce() -> nix::Result<()> + Send,
    [led, followed, tell]: [&OwnedFd; 3],
) -> i32 {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let own = gettid().as_raw().to_ne_bytes();
            let _ = write(tell, &own).and_then(|_| read(followed, &mut [0]));
            let _ = part();
            sys::end_thread()
        });
        let _ = read(led, &mut [0]);
        let failed = call().err().unwrap_or(Errno::UnknownErrno);
        // The other thread is to be looked at before this process ends.
        let _ = write(tell, b"!").and_then(|_| read(led, &mut [0]));
        sys::exit_now(FAILED + failed as i32)
    })
}
