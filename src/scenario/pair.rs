//! A process of two threads: the leader makes a call, the other one has come to its end and is held there by its tracer.

use std::fs;
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, gettid, pipe2, read, write};

use super::listener::FAILED;
use super::reap;
use crate::sys::{self, ForkResult};

/// Such a process, a child of ours. SIGKILL alone wakes the other thread from the stop at its end (ptrace(2),
/// `PTRACE_EVENT_EXIT`), and as it takes no signal any more, what it was sent stays in its queue. Dead it stays until we
/// reap it, and an exec of the leader waits for that past the point of no return (`de_thread` in fs/exec.c).
#[derive(Debug)]
pub struct Pair {
    leader: Pid,
    other: Pid,
    lead: OwnedFd,
    heard: OwnedFd,
}

impl Pair {
    /// Forks it, and returns when the leader stands before its call and the other thread in its last stop.
    ///
    /// # Errors
    ///
    /// It cannot be forked or traced.
    pub fn fork(call: impl FnOnce() -> nix::Result<()>) -> Result<Pair> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe");
        let ((led, lead), (followed, follow), (heard, tell)) = (pipe()?, pipe()?, pipe()?);
        let leader = match sys::fork().context("failed to fork")? {
            ForkResult::Child => {
                drop((lead, follow, heard));
                sys::exit_now(child(call, &led, &followed, &tell))
            }
            ForkResult::Parent { child } => child,
        };
        drop(tell);
        let mut other = [0; 4];
        let said = read(&heard, &mut other) == Ok(other.len());
        ensure!(said, "the thread did not say who it is");
        let other = Pid::from_raw(i32::from_ne_bytes(other));
        ptrace::seize(other, Options::PTRACE_O_TRACEEXIT).context("failed to seize a thread")?;
        write(&follow, b"!").context("failed to have a thread end")?;
        let stop = waitpid(other, Some(WaitPidFlag::__WALL)).context("failed to wait")?;
        let wanted = WaitStatus::PtraceEvent(other, Signal::SIGTRAP, libc::PTRACE_EVENT_EXIT);
        ensure!(
            stop == wanted,
            "the thread did not stop at its end: {stop:?}"
        );
        Ok(Pair {
            leader,
            other,
            lead,
            heard,
        })
    }

    /// Has the leader make its call, and returns when that has killed the other thread.
    ///
    /// # Errors
    ///
    /// The thread cannot be waited for.
    pub fn call(&self) -> Result<()> {
        write(&self.lead, b"!").context("failed to have the call made")?;
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::__WALL;
        waitid(Id::Pid(self.other), flags).context("failed to wait for a thread")?;
        Ok(())
    }

    /// Has the leader make a call that fails, and returns when it has.
    ///
    /// # Errors
    ///
    /// The leader has ended.
    pub fn failing_call(&self) -> Result<()> {
        write(&self.lead, b"!").context("failed to have the call made")?;
        let said = read(&self.heard, &mut [0]).context("failed to hear of the call")?;
        ensure!(said == 1, "the call did not fail");
        Ok(())
    }

    /// Sends the process a signal.
    ///
    /// # Errors
    ///
    /// What kill(2) says.
    pub fn send(&self, signal: Signal) -> Result<()> {
        kill(self.leader, signal).context("failed to send a signal")
    }

    /// What is pending for the other thread alone (proc_pid_status(5), `SigPnd`): a bit each.
    ///
    /// # Errors
    ///
    /// Its status cannot be read.
    pub fn pending(&self) -> Result<u64> {
        let path = format!("/proc/{}/task/{}/status", self.leader, self.other);
        let status = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        let mut lines = status.lines();
        let mask = lines.find_map(|line| line.strip_prefix("SigPnd:"));
        let mask = mask.context("a status without SigPnd")?.trim();
        u64::from_str_radix(mask, 16).context("failed to read a mask")
    }

    /// Reaps the other thread, and the process then; how it ended, in words.
    ///
    /// # Errors
    ///
    /// They cannot be waited for.
    pub fn end(self) -> Result<String> {
        // A leader whose call has failed waits for this.
        drop(self.lead);
        waitpid(self.other, Some(WaitPidFlag::__WALL)).context("failed to reap a thread")?;
        reap(self.leader)
    }
}

/// The child's side; returns its exit status.
fn child(
    call: impl FnOnce() -> nix::Result<()>,
    led: &OwnedFd,
    followed: &OwnedFd,
    tell: &OwnedFd,
) -> i32 {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let own = gettid().as_raw().to_ne_bytes();
            // Without a parent there is nobody to wait for.
            let _ = write(tell, &own).and_then(|_| read(followed, &mut [0]));
            sys::end_thread()
        });
        let _ = read(led, &mut [0]);
        let failed = call().err().unwrap_or(Errno::UnknownErrno);
        // The other thread is to be looked at before this process ends.
        let _ = write(tell, b"!").and_then(|_| read(led, &mut [0]));
        sys::exit_now(FAILED + failed as i32)
    })
}
