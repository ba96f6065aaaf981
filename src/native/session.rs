//! The host's side: starts the keeper, follows the records, ends it in bounded time.

use std::io::Write as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use command_fds::{CommandFdExt as _, FdMapping};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::guest::keeper::{FIXTURE_FD, LAUNCHER_FD, PLAN_FD, SUBJECT_FD};
use crate::guest::sweep_all;
use crate::subject::SUBJECT;
use crate::trail::printable;
use crate::vm::session::{Breakdown, Hear};
use crate::wire::{GuestPlan, Link, LinkError, Message, until};

/// How long namespaces, mounts and the unpacking of the fixture may take on a busy machine.
const START: Duration = Duration::from_secs(30);
/// How long the keeper may take to end what it keeps.
const END: Duration = Duration::from_secs(10);

/// What a native lab is made of.
#[derive(Debug)]
pub struct Lab<'a> {
    /// The launcher, as a file that can be executed.
    pub executable: &'a Path,
    /// The launcher without what is never loaded: what becomes PID 1.
    pub launcher: &'a [u8],
    /// The archives of the root.
    pub root: &'a [u8],
    /// What is to be done.
    pub plan: &'a GuestPlan,
    /// However it goes, it is over then.
    pub limit: Duration,
}

/// Runs a plan on the running kernel.
///
/// `heard` gets every message and says how long to wait for the next one, as for a virtual machine.
/// Nothing of the lab is left when this returns.
///
/// # Errors
///
/// A [`Breakdown`]: what happened, and what the lab complained of.
pub fn run(lab: &Lab<'_>, stop: BorrowedFd<'_>, heard: &mut Hear<'_>) -> Result<(), Breakdown> {
    let broken = |error: anyhow::Error| Breakdown::Broken(format!("{error:#}"));
    let mut session = Session::start(lab).map_err(broken)?;
    let result = session.follow(stop, heard);
    let complaints = session.end();
    sweep_all();
    match (result, complaints.trim()) {
        (Err(Breakdown::Broken(reason)), complaints) if !complaints.is_empty() => {
            Err(Breakdown::Broken(format!("{reason}\n{complaints}")))
        }
        (result, _) => result,
    }
}

struct Session {
    keeper: Child,
    records: Link,
}

impl Session {
    fn start(lab: &Lab<'_>) -> Result<Session> {
        let plan = serde_json::to_vec(lab.plan).context("failed to write the plan")?;
        let file = |parent_fd, child_fd| FdMapping {
            parent_fd,
            child_fd,
        };
        let mappings = vec![
            file(memory(lab.launcher)?, LAUNCHER_FD),
            file(memory(lab.root)?, FIXTURE_FD),
            file(memory(&plan)?, PLAN_FD),
            file(memory(SUBJECT)?, SUBJECT_FD),
        ];
        let mut command = Command::new(lab.executable);
        command
            .arg0("launcher")
            .arg("keeper")
            .arg(lab.limit.as_secs().to_string());
        command
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own: Ctrl-C is ours to hear, and we end it in order.
        command.process_group(0);
        command
            .fd_mappings(mappings)
            .context("failed to hand files to the native lab")?;
        let mut keeper = command.spawn().context("failed to start the native lab")?;
        let records = keeper.stdout.take().context("no record channel")?;
        Ok(Session {
            keeper,
            records: Link::new(records.into()),
        })
    }

    fn follow(&mut self, stop: BorrowedFd<'_>, heard: &mut Hear<'_>) -> Result<(), Breakdown> {
        let broken = |reason: String| Err(Breakdown::Broken(reason));
        let mut patience = START;
        let mut deadline = Instant::now() + patience;
        loop {
            loop {
                match self.records.hear() {
                    Ok(Some(Message::Done)) => return Ok(()),
                    Ok(Some(Message::Failed { reason })) => return broken(reason),
                    Ok(Some(message)) => match heard(message) {
                        Ok(next) => patience = next.unwrap_or(START),
                        Err(what) => {
                            return broken(format!(
                                "the lab says what no lab of ours does: {what}"
                            ));
                        }
                    },
                    Ok(None) => break,
                    Err(error) => return broken(format!("the record channel failed: {error}")),
                }
                deadline = Instant::now() + patience;
            }
            let mut fds = [
                PollFd::new(self.records.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop, PollFlags::POLLIN),
            ];
            match poll(&mut fds, until(deadline)) {
                Ok(0) => {
                    let seconds = patience.as_secs();
                    return broken(format!(
                        "nothing came for {seconds} s: the native lab hangs"
                    ));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return broken(format!("failed to wait for records: {errno}")),
            }
            let [records, stop] = fds.map(|fd| fd.any().unwrap_or(true));
            if stop {
                return Err(Breakdown::Interrupted);
            }
            if records && let Err(error) = self.records.fill() {
                return broken(match error {
                    LinkError::Closed => "the native lab ended before it was done".to_owned(),
                    error => format!("the record channel failed: {error}"),
                });
            }
        }
    }

    /// Ends the keeper, which ends and removes everything else; what it complained of.
    fn end(&mut self) -> String {
        drop(self.keeper.stdin.take());
        let deadline = Instant::now() + END;
        let ended = crate::sys::pidfd_open(self.keeper.id().cast_signed());
        if let Ok(ended) = ended {
            let mut fds = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            while poll(&mut fds, until(deadline)) == Err(Errno::EINTR) {}
        }
        // It has ended by now, or hangs; its PID 1 dies with it (`PR_SET_PDEATHSIG`).
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        let complaints = self
            .keeper
            .stderr
            .take()
            .map(|stderr| written(&stderr.into()));
        printable(&complaints.unwrap_or_default()).replace("\\x0a", "\n")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Also when we panic: no lab outlives its session.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// What is in a pipe. Nobody waits for its end: whoever the keeper could not end has it as well.
fn written(pipe: &OwnedFd) -> Vec<u8> {
    // More than what fits into a pipe is nothing that a person would read.
    let mut bytes = vec![0; 64 << 10];
    let mut length = 0;
    if fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok() {
        while let Ok(more @ 1..) = nix::unistd::read(pipe, &mut bytes[length..]) {
            length += more;
        }
    }
    bytes.truncate(length);
    bytes
}

/// A file in memory, to be read by whoever it is handed to.
fn memory(bytes: &[u8]) -> Result<OwnedFd> {
    let fd = memfd_create(c"exetrail-native", MFdFlags::MFD_CLOEXEC)
        .context("failed to make a file in memory")?;
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes)
        .context("failed to fill a file in memory")?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_read_while_somebody_has_their_pipe() {
        let (read, write) = nix::unistd::pipe().unwrap();
        nix::unistd::write(&write, b"abc").unwrap();
        assert_eq!(written(&read), b"abc");
        drop(write);
        assert!(written(&read).is_empty());
    }
}
