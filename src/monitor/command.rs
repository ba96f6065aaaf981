//! The program after `--`.
//!
//! A child that is forked while the group exists holds a copy of it until its own exec is through
//! (close-on-exec acts only past the point of no return), and that exec waits for the group: were
//! the monitor killed in between, everybody would wait until the child is killed. So the child is forked before the group
//! exists and waits at a gate, which also opens, the other way, when the monitor dies.

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigHandler, Signal, kill};
use nix::unistd::{Pid, pipe2};

use super::program::Program;
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
    program: Program,
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
        let name = argv.first().context("a command without a name")?;
        let program = Program::find(name, std::env::var_os("PATH"))?;
        let name = name.display().to_string();
        let pipe = || pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe");
        let (waiting, gate) = pipe()?;
        let (report, telling) = pipe()?;
        match sys::fork().context("failed to fork the command")? {
            ForkResult::Child => {
                // Our copies of the other ends would keep the gate from ever telling of a death.
                drop((gate, report));
                let (errno, nth) = pass(&waiting, &program, &arguments);
                let mut message = [0; 8];
                message[..4].copy_from_slice(&(errno as i32).to_ne_bytes());
                message[4..].copy_from_slice(&(u32::try_from(nth).unwrap_or(0)).to_ne_bytes());
                // Nobody can be told when this fails as well; the status still says it.
                let _ = nix::unistd::write(&telling, &message);
                sys::exit_now(match errno {
                    Errno::ENOENT => NOT_FOUND,
                    _ => NOT_EXECUTABLE,
                });
            }
            ForkResult::Parent { child } => Ok(Gated {
                pid: child,
                gate,
                report,
                name,
                program,
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
        let mut message = [0; 8];
        let length = nix::unistd::read(&self.report, &mut message);
        if length != Ok(message.len()) {
            return None;
        }
        let [e0, e1, e2, e3, n0, n1, n2, n3] = message;
        let errno = Errno::from_raw(i32::from_ne_bytes([e0, e1, e2, e3]));
        let nth = u32::from_ne_bytes([n0, n1, n2, n3]) as usize;
        let reason = self.program.failure(errno, nth);
        Some(format!("failed to run {}: {reason}", self.name))
    }

    /// Passes a signal on.
    pub fn signal(&self, signal: Signal) {
        // It may have ended meanwhile; it is not reaped yet, so the id is still its own.
        let _ = kill(self.pid, signal);
    }
}

/// Puts signals back to what whoever started us gave us: nohup(1) has SIGHUP ignored, a shell SIGINT and SIGQUIT in what
/// it starts in the background.
fn as_it_was_given() -> nix::Result<()> {
    let given = |signal: &Signal| {
        // The standard library ignores the first, and we have reset the second.
        !matches!(signal, Signal::SIGPIPE | Signal::SIGCHLD) && sys::is_ignored(*signal)
    };
    let ignored: Vec<_> = Signal::iterator().filter(given).collect();
    sys::reset_signals()?;
    ignored
        .into_iter()
        .try_for_each(|signal| sys::dispose(signal, SigHandler::SigIgn))
}

/// The child's side: waits at the gate, then becomes the program; why it could not.
///
/// It calls execve(2) itself: execvp(3) of glibc hands a file of no known format to a shell.
fn pass(gate: &OwnedFd, program: &Program, argv: &[CString]) -> (Errno, usize) {
    let mut byte = [0];
    loop {
        match nix::unistd::read(gate, &mut byte) {
            Ok(1) => break,
            Err(Errno::EINTR) => {}
            // The monitor died, or did not come to watch: then there is nothing to start.
            Ok(_) | Err(_) => sys::exit_now(NOT_EXECUTABLE),
        }
    }
    if let Err(errno) = as_it_was_given() {
        return (errno, 0);
    }
    let environment: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
        })
        .collect();
    program.try_each(|path| {
        let Err(errno) = nix::unistd::execve(path, argv, &environment);
        errno
    })
}
