//! The main thread, while something is watched: it waits for signals, time and ends.

use std::os::fd::AsFd as _;
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::WaitPidFlag;

use super::command::Gated;
use super::guard::{Order, Origin, Ward};
use super::output::tell;
use super::place::{self, Place};
use super::summary::counted;
use super::threads::Threads;
use super::wish::{Answer, Wishes};
use super::{UNWATCHED, rescue, signals};
use crate::sys;
use crate::wire::until;

/// Why a watch is over.
#[derive(Debug)]
pub enum End {
    /// A signal, the time, the count, the command or the reader.
    Asked,
    /// Something else, while it should have gone on.
    Unwatched(String),
}

/// Whoever reads the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

/// What has come of that which the main thread waits for; signals are read in any case.
struct Ready {
    answered: bool,
    wrote: bool,
    ordered: bool,
    rescued: bool,
}

/// What the main thread waits for.
#[derive(Debug)]
pub struct Control {
    signals: SignalFd,
    ward: Ward,
    command: Option<Gated>,
    status: Option<u8>,
    wishes: Wishes,
    /// How many refusals were told of.
    told: u64,
    place: Place,
}

impl Control {
    /// One that begins to listen for signals.
    ///
    /// # Errors
    ///
    /// What signalfd(2) says.
    pub fn new(ward: Ward, command: Option<Gated>, place: Place) -> Result<Control> {
        Ok(Control {
            signals: signals::listen()?,
            ward,
            command,
            status: None,
            wishes: Wishes::default(),
            told: 0,
            place,
        })
    }

    /// Lets the command go, where there is one.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn open(&self) -> Result<()> {
        self.command.as_ref().map_or(Ok(()), Gated::open)
    }

    /// Waits until the watch is to end; why.
    ///
    /// # Errors
    ///
    /// What poll(2), signalfd(2) or wait(2) says.
    pub fn follow(&mut self, threads: &Threads, deadline: Option<Instant>) -> Result<End> {
        let mut reader = Reader::There;
        let mut glance = Instant::now() + Ward::GLANCE;
        // Without it, that a mount is gone cannot be noticed.
        if !threads.tells_of_marks {
            tell("this kernel does not tell of marks: an unmount will not be noticed");
        }
        loop {
            let next = deadline.map_or(glance, |deadline| deadline.min(glance));
            let ready = self.wait(threads, reader, next)?;
            if ready.rescued && threads.pulse.is_let_go() {
                return Ok(End::Unwatched(rescue::REASON.to_owned()));
            }
            if ready.ordered
                && let Some(end) = self.obey()
            {
                return Ok(end);
            }
            if self.heard()? || ready.answered || deadline.is_some_and(|at| at <= Instant::now()) {
                return Ok(End::Asked);
            }
            if ready.wrote && reader == Reader::There {
                reader = Reader::Gone;
                // Without a command there is nothing left to do it for.
                if self.command.is_none() {
                    return Ok(End::Asked);
                }
            }
            if glance <= Instant::now() {
                glance = Instant::now() + Ward::GLANCE;
                if let Some(reason) = self.glance(threads) {
                    return Ok(End::Unwatched(reason));
                }
            }
        }
    }

    /// Waits for whatever comes first, until `next`.
    fn wait(&self, threads: &Threads, reader: Reader, next: Instant) -> Result<Ready> {
        let wanted = match reader {
            Reader::There => PollFlags::POLLIN,
            Reader::Gone => PollFlags::empty(),
        };
        let mut fds = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(threads.answered.as_fd(), PollFlags::POLLIN),
            PollFd::new(threads.wrote.as_fd(), wanted),
            PollFd::new(self.ward.orders().as_fd(), PollFlags::POLLIN),
            PollFd::new(threads.rescued.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, until(next)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait"),
        }
        let [_, answered, wrote, ordered, rescued] = fds.map(|fd| fd.any().unwrap_or(true));
        Ok(Ready {
            answered,
            wrote,
            ordered,
            rescued,
        })
    }

    /// Does what the guard has for us; why the watch is to end, if it is.
    fn obey(&mut self) -> Option<End> {
        match self.ward.order()? {
            Order::Gone => Some(End::Unwatched("the guard has ended".into())),
            Order::Signal(signal, origin) => {
                let end = self.asked_to_end(signal, origin);
                end.then_some(End::Asked)
            }
        }
    }

    /// What nobody tells of; why the watch is over, if it is.
    fn glance(&mut self, threads: &Threads) -> Option<String> {
        self.tell_refusals(threads);
        if self.ward.guard_stands_still() {
            return Some("the guard stands still".into());
        }
        let place = self.place.path.display();
        let unmounted = place::is_marked(threads.group) == Some(false);
        unmounted.then(|| format!("what {place} was on is unmounted"))
    }

    /// Says what the kernel denied since it was last said.
    pub fn tell_refusals(&mut self, threads: &Threads) {
        let (count, errno) = threads.refusals.so_far();
        if count > self.told {
            let more = count - self.told;
            self.told = count;
            let why = match errno {
                // Before FAN_REPORT_FD_ERROR every reason is told by it (`fanotify_read`).
                Errno::EAGAIN => "somebody may have a lease on the file, which is being broken",
                errno => errno.desc(),
            };
            let opens = counted(more, "open was", "opens were");
            tell(&format!(
                "{opens} denied by the kernel, which could not open the file for the monitor; the last one: \
                 {errno:?}, {why}"
            ));
        }
    }

    /// Reads signals; true when the watch is to end for them.
    fn heard(&mut self) -> Result<bool> {
        let mut end = false;
        while let Some(signal) = self
            .signals
            .read_signal()
            .context("failed to read signals")?
        {
            let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
            match Signal::try_from(number) {
                Ok(Signal::SIGCHLD) => end |= self.reap()?,
                Ok(other) => end |= self.asked_to_end(other, Origin::of(number, signal.ssi_code)),
                Err(_) => {}
            }
        }
        Ok(end)
    }

    /// True when the watch is to end for a signal.
    fn asked_to_end(&mut self, signal: Signal, origin: Origin) -> bool {
        let running = self.command.as_ref().filter(|_| self.status.is_none());
        let Some(command) = running else {
            return true;
        };
        match self.wishes.hear(origin, Instant::now()) {
            Answer::Nothing => false,
            Answer::PassOn => {
                command.signal(signal);
                false
            }
            Answer::Kill => {
                command.signal(Signal::SIGKILL);
                true
            }
        }
    }

    /// Reaps the command and its orphans; true when the command has ended.
    fn reap(&mut self) -> Result<bool> {
        loop {
            let (pid, status) = match sys::reap(None, WaitPidFlag::WNOHANG) {
                Ok(Some(ended)) => ended,
                Ok(None) | Err(Errno::ECHILD) => return Ok(self.status.is_some()),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno).context("failed to wait for the command"),
            };
            if let Some(command) = &self.command
                && command.pid == pid
            {
                self.status = Some(sys::shell_status(status));
                if let Some(failure) = command.failure() {
                    tell(&failure);
                }
            }
        }
    }

    /// Waits for a command that outlives the watch; its status, or 0 without one.
    ///
    /// # Errors
    ///
    /// As for [`Control::follow`].
    pub fn finish(&mut self) -> Result<u8> {
        while self.command.is_some() && self.status.is_none() {
            let mut fds = [
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.ward.orders().as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait for the command"),
            }
            let [_, ordered] = fds.map(|fd| fd.any().unwrap_or(true));
            if ordered {
                match self.ward.order() {
                    // Nobody waits for a status any more.
                    Some(Order::Gone) => return Ok(UNWATCHED),
                    Some(Order::Signal(signal, origin)) => {
                        self.asked_to_end(signal, origin);
                    }
                    None => {}
                }
            }
            self.heard()?;
        }
        Ok(self.status.unwrap_or(0))
    }
}
