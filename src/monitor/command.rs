//! The program after `--`.
//!
//! A child that is forked while the group exists holds a copy of it until its own exec is through
//! (close-on-exec acts only past the point of no return), and that exec waits for the group: were
//! the monitor killed in between, both would wait for ever. So the child is forked before the group
//! exists and waits at a gate, which also opens, the other way, when the monitor dies.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

use crate::sys::{self, ForkResult};

/// What shells answer for a program that is not there, and for one that cannot be executed.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// A child that waits for the watch to begin.
#[derive(Debug)]
pub struct Gated {
    /// The child.
    pub pid: Pid,
    gate: OwnedFd,
    report: OwnedFd,
    name: String,
}

impl Gated {
    /// Forks the child; the process must have one thread and no group yet.
    ///
    /// # Errors
    ///
    /// What fork(2) and pipe2(2) say, or a NUL in an argument.
    pub fn fork(argv: &[OsString]) -> Result<Gated> {
        let arguments = argv
            .iter()
            .map(|argument| CString::new(argument.as_bytes()));
        let arguments: Vec<_> = arguments
            .collect::<Result<_, _>>()
            .context("a NUL in an argument")?;
        let name = argv.first().map(|name| name.to_string_lossy().into_owned());
        let pipe = || pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe");
        let (waiting, gate) = pipe()?;
        let (report, telling) = pipe()?;
        match sys::fork().context("failed to fork the command")? {
            ForkResult::Child => {
                // Our copies of the other ends would keep the gate from ever telling of a death.
                drop((gate, report));
                let Err(errno) = pass(&waiting, &arguments);
                // Nobody can be told when this fails as well; the status still says it.
                let _ = nix::unistd::write(&telling, &(errno as i32).to_ne_bytes());
                sys::exit_now(match errno {
                    Errno::ENOENT => NOT_FOUND,
                    _ => NOT_EXECUTABLE,
                });
            }
            ForkResult::Parent { child } => Ok(Gated {
                pid: child,
                gate,
                report,
                name: name.unwrap_or_default(),
            }),
        }
    }

    /// Lets the child go.
    ///
    /// # Errors
    ///
    /// The child is gone.
    pub fn open(&self) -> Result<()> {
        let opened = nix::unistd::write(&self.gate, b"g");
        opened
            .map(drop)
            .with_context(|| format!("failed to start {}", self.name))
    }

    /// Why the program could not be executed; call it when the child has ended.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let mut number = [0; 4];
        match nix::unistd::read(&self.report, &mut number) {
            Ok(4) => {
                let errno = Errno::from_raw(i32::from_ne_bytes(number));
                Some(format!("failed to run {}: {}", self.name, errno.desc()))
            }
            _ => None,
        }
    }

    /// Passes a signal on.
    pub fn signal(&self, signal: Signal) {
        // It may have ended meanwhile; it is not reaped yet, so the id is still its own.
        let _ = kill(self.pid, signal);
    }
}

/// The child's side: waits at the gate, then becomes the program.
fn pass(gate: &OwnedFd, argv: &[CString]) -> Result<Infallible, Errno> {
    let mut byte = [0];
    loop {
        match nix::unistd::read(gate, &mut byte) {
            Ok(1) => break,
            Err(Errno::EINTR) => {}
            // The monitor died, or did not come to watch: then there is nothing to start.
            Ok(_) | Err(_) => sys::exit_now(NOT_EXECUTABLE),
        }
    }
    sys::reset_signals()?;
    let program = argv.first().ok_or(Errno::EINVAL)?;
    nix::unistd::execvp(program, argv)
}
