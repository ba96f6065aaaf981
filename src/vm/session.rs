//! One boot, from QEMU's start to its end, in bounded time.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use thiserror::Error;

use super::console::Console;
use super::machine::{Machine, Running};
use crate::wire::{Chunk, Link, LinkError, Message, until};

/// How long a kernel may take from QEMU's start to PID 1, under emulation on a busy machine.
pub const BOOT: Duration = Duration::from_secs(90);

/// What "as long as it takes" is for poll(2).
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a boot came to no good end.
#[derive(Debug, Error)]
pub enum Breakdown {
    /// The user wants to stop.
    #[error("interrupted")]
    Interrupted,
    /// Something failed; with the console's last lines.
    #[error("{0}")]
    Broken(String),
}

/// What a session does with a message: how long the next one may take.
pub type Patience = Option<Duration>;

/// Runs a machine until its guest says that it is done.
///
/// `boot` is how long the kernel may take to PID 1. `heard` gets every message and says how long to wait for the next one (none: as long as it
/// takes). `stop` becomes readable when the user wants to stop. QEMU is gone when this returns.
///
/// # Errors
///
/// A [`Breakdown`]: what happened, and the console's last lines.
pub fn run(
    machine: Machine<'_>,
    boot: Duration,
    stop: BorrowedFd<'_>,
    heard: &mut dyn FnMut(Message) -> Patience,
) -> Result<(), Breakdown> {
    let running = machine
        .start()
        .map_err(|error| Breakdown::Broken(format!("{error:#}")))?;
    let mut session = Session::new(running);
    let result = session.follow(boot, stop, heard);
    let status = session.end();
    result.map_err(|end| session.explain(end, status))
}

/// Why following a guest ended early.
enum End {
    Interrupted,
    Deadline(Duration),
    Hopeless,
    Channel(LinkError),
    Guest(String),
    System(anyhow::Error),
}

struct Session {
    child: Child,
    records: Link,
    console_fd: OwnedFd,
    complaints_fd: OwnedFd,
    console: Console,
    complaints: Vec<u8>,
    reached: bool,
    input: Option<Input>,
}

/// Our standard input on its way into a guest.
struct Input {
    to: std::fs::File,
    /// The guest has asked for more.
    wanted: bool,
}

impl Input {
    /// Reads what there is and sends it; an end, or an input that cannot be read, as an empty chunk.
    fn hand_on(&mut self) {
        let mut chunk = [0; Chunk::MOST];
        let length = match nix::unistd::read(std::io::stdin(), &mut chunk) {
            Ok(length) => length,
            Err(Errno::EINTR | Errno::EAGAIN) => return,
            Err(_) => 0,
        };
        self.wanted = false;
        // A machine that is gone is noticed elsewhere.
        let _ = Chunk(chunk[..length].to_vec()).write(&self.to);
    }
}

impl Session {
    fn new(running: Running) -> Session {
        let Running {
            child,
            console,
            records,
            complaints,
            input,
        } = running;
        Session {
            child,
            records: Link::new(records),
            console_fd: console,
            complaints_fd: complaints,
            console: Console::default(),
            complaints: Vec::new(),
            reached: false,
            input: input.map(|fd| Input {
                to: fd.into(),
                wanted: false,
            }),
        }
    }

    fn follow(
        &mut self,
        boot: Duration,
        stop: BorrowedFd<'_>,
        heard: &mut dyn FnMut(Message) -> Patience,
    ) -> Result<(), End> {
        let mut patience = Some(boot);
        let mut deadline = Instant::now() + boot;
        loop {
            while let Some(message) = self.records.take().map_err(End::Channel)? {
                self.reached = true;
                match message {
                    Message::Done => return Ok(()),
                    Message::Failed { reason } => return Err(End::Guest(reason)),
                    Message::More => {
                        if let Some(input) = &mut self.input {
                            input.wanted = true;
                        }
                        continue;
                    }
                    message => patience = heard(message),
                }
                deadline = Instant::now() + patience.unwrap_or(FOR_EVER);
            }
            if self.console.is_hopeless() || self.is_paused() {
                return Err(End::Hopeless);
            }
            let stdin = std::io::stdin();
            let wanted = self.input.as_ref().is_some_and(|input| input.wanted);
            let from = if wanted { stdin.as_fd() } else { stop };
            let mut fds = [
                PollFd::new(self.records.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.console_fd.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.complaints_fd.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop, PollFlags::POLLIN),
                PollFd::new(from, PollFlags::POLLIN),
            ];
            match poll(&mut fds, until(deadline)) {
                Ok(0) => return Err(End::Deadline(patience.unwrap_or(FOR_EVER))),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(End::System(errno.into())),
            }
            let [records, console, complaints, stop, input] =
                fds.map(|fd| fd.any().unwrap_or(true));
            if stop {
                return Err(End::Interrupted);
            }
            if wanted
                && input
                && let Some(input) = &mut self.input
            {
                input.hand_on();
            }
            if console {
                take(&self.console_fd, |bytes| self.console.feed(bytes));
            }
            if complaints {
                take(&self.complaints_fd, |bytes| {
                    self.complaints.extend_from_slice(bytes)
                });
            }
            if records {
                self.records.fill().map_err(End::Channel)?;
            }
        }
    }

    /// Whether QEMU has stopped the guest for ever, which it does without ending.
    fn is_paused(&self) -> bool {
        let marker = b"KVM internal error";
        self.complaints
            .windows(marker.len())
            .any(|window| window == marker)
    }

    /// Ends QEMU and takes what it still had to say.
    fn end(&mut self) -> Option<ExitStatus> {
        // It may have ended already: then its own status says more than our signal's.
        let own = self.child.try_wait().ok().flatten();
        let _ = self.child.kill();
        let status = self.child.wait().ok();
        while take(&self.console_fd, |bytes| self.console.feed(bytes)) {}
        while take(&self.complaints_fd, |bytes| {
            self.complaints.extend_from_slice(bytes)
        }) {}
        own.or(status)
    }

    fn explain(&self, end: End, status: Option<ExitStatus>) -> Breakdown {
        let place = if self.reached {
            "in the guest"
        } else {
            "before PID 1 came up"
        };
        let what = match end {
            End::Interrupted => return Breakdown::Interrupted,
            End::Deadline(patience) => {
                format!(
                    "nothing came for {} s, {place}: the guest hangs",
                    patience.as_secs()
                )
            }
            End::Guest(reason) => reason,
            End::Hopeless => format!("the guest can go no further, {place}"),
            End::System(error) => format!("failed to wait for QEMU: {error:#}"),
            End::Channel(LinkError::Closed) => format!("QEMU ended {place}{}", ended(status)),
            End::Channel(LinkError::Cut(bytes)) => format!(
                "the record channel was cut in the middle of a record ({bytes} bytes of it came), \
                 QEMU ended{}",
                ended(status)
            ),
            End::Channel(error) => format!("the record channel failed {place}: {error}"),
        };
        let mut text = what;
        if let Some(reason) = self.console.reason() {
            text = format!("{reason}; {text}");
        }
        let complaints = crate::trail::printable(&self.complaints).replace("\\x0a", "\n");
        if !complaints.trim().is_empty() {
            text = format!("{text}\nQEMU says:\n{}", indent(complaints.trim()));
        }
        let tail = self.console.tail();
        match tail.is_empty() {
            true => Breakdown::Broken(format!("{text}\nthe console is empty")),
            false => Breakdown::Broken(format!(
                "{text}\nthe console's last lines:\n{}",
                indent(&tail)
            )),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Also when we panic: no QEMU outlives its session.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.signal(), status.code())) {
        Some((Some(signal), _)) => format!(", killed by signal {signal}"),
        Some((None, Some(0))) | None => String::new(),
        Some((None, code)) => format!(" with status {}", code.unwrap_or(-1)),
    }
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads once; false at the end.
fn take(fd: &OwnedFd, mut sink: impl FnMut(&[u8])) -> bool {
    let mut chunk = [0; 4096];
    match nix::unistd::read(fd, &mut chunk) {
        Ok(0) => false,
        Ok(length) => {
            sink(&chunk[..length]);
            true
        }
        Err(errno) => errno == Errno::EINTR,
    }
}
