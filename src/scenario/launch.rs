//! Starts a program from the launcher and waits for the whole tree.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};

use super::Exec;
use crate::sys::{self, ForkResult};
use crate::trail::{Call, Exit, How};

/// What a launch left: the start, and every end that was reaped.
#[derive(Debug)]
pub struct Launched {
    /// The start.
    pub call: Call,
    /// Ends of the child and of what became the launcher's by its parent's death.
    pub exits: Vec<Exit>,
}

/// Where the child keeps the descriptor that tells of a failed call: out of the way of those that
/// the call itself opens.
const REPORT_FD: i32 = 100;

/// Forks a child that makes the call, and waits until no descendant is left.
///
/// # Errors
///
/// The child cannot be forked or waited for.
pub fn launch(exec: &Exec) -> Result<Launched> {
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .context("failed to open /dev/null")?;
    let (read, write) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let child = match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            let errno = child(exec, &null, &write);
            sys::exit_now(errno as i32);
        }
        ForkResult::Parent { child } => child,
    };
    drop(write);
    let failed = failure(&read).context("failed to hear of the call")?;
    let call = Call {
        pid: child.as_raw(),
        call: exec.call().to_owned(),
        path: exec.what(),
    };
    let mut exits = Vec::new();
    loop {
        match waitpid(None::<Pid>, None) {
            Ok(status) => exits.extend(exit(status)),
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => break,
            Err(errno) => return Err(errno).context("failed to wait for the scenario's processes"),
        }
    }
    if let Some(errno) = failed {
        let how = How::Errno(format!("{errno:?}"));
        exits.retain(|exit| exit.pid != child.as_raw());
        exits.push(Exit {
            pid: child.as_raw(),
            how,
        });
    }
    Ok(Launched { call, exits })
}

/// The child's side; returns the errno of the call, or of what should have prepared it.
fn child(exec: &Exec, null: &OwnedFd, report: &OwnedFd) -> Errno {
    match prepare(null, report).and_then(|()| exec.make()) {
        Ok(never) => match never {},
        Err(errno) => {
            // Nobody can be told when this fails as well; the exit status is still not 0.
            let number = (errno as i32).to_ne_bytes();
            let report = sys::adopt_fd(REPORT_FD);
            let _ = nix::unistd::write(&report, &number);
            errno
        }
    }
}

fn prepare(null: &OwnedFd, report: &OwnedFd) -> Result<(), Errno> {
    sys::place_fd(report.as_fd(), REPORT_FD)?;
    dup2_stdin(null)?;
    dup2_stdout(null)?;
    dup2_stderr(null)?;
    sys::close_fds_from(3, 99)?;
    sys::close_fds_from(101, u32::MAX)?;
    sys::reset_signals()?;
    // A session of its own: no terminal, and no signal of a process group from elsewhere.
    setsid()?;
    umask(Mode::from_bits_truncate(0o022));
    chdir("/")
}

/// The errno that the child sent, or nothing when its call closed the pipe.
fn failure(read: &OwnedFd) -> nix::Result<Option<Errno>> {
    let mut number = [0; 4];
    loop {
        return match nix::unistd::read(read, &mut number) {
            Ok(4) => Ok(Some(Errno::from_raw(i32::from_ne_bytes(number)))),
            Ok(_) => Ok(None),
            Err(Errno::EINTR) => continue,
            Err(errno) => Err(errno),
        };
    }
}

fn exit(status: WaitStatus) -> Option<Exit> {
    match status {
        WaitStatus::Exited(pid, status) => Some(Exit {
            pid: pid.as_raw(),
            how: How::Exit(status),
        }),
        // Whether it dumped core races with a helper that reads a small dump: not part of it.
        WaitStatus::Signaled(pid, signal, _) => Some(Exit {
            pid: pid.as_raw(),
            how: How::Signal(signal.as_str().to_owned()),
        }),
        _ => None,
    }
}
