//! The guard: the process that the user started, which ends the monitor when that one stands still.
//!
//! It forks the monitor before the group exists, so it holds nobody; it opens nothing once something
//! is watched. It passes signals on, and ends with the monitor's status or says that nothing is
//! watched any more. The monitor watches it in turn: a guard that is gone or stands still ends it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::WaitPidFlag;
use nix::unistd::{Pid, pipe2};

use super::cgroup::{self, Standing};
use super::output::tell;
use super::pulse::{Pulse, Stethoscope};
use super::signals;
use super::syslog::{SOCKET, Syslog};
use super::{Destination, UNWATCHED};
use crate::observer::fanotify::never_dump;
use crate::sys::{self, ForkResult};
use crate::wire::until;

/// How often the guard looks.
const TICK: Duration = Duration::from_millis(200);
/// So many looks without a sign of life are a monitor that stands still: 3 s, and the rest of the first look.
const SILENT: u32 = 15;
/// So many looks, 3 s, a monitor has to end that has let everybody go: where it waits inside of the kernel it cannot.
const LEAVING: u32 = 15;

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A key at the terminal, which reaches the command as well.
    Terminal,
    /// A process.
    Process,
}

impl Origin {
    /// From the number and the code of a signal (sigaction(2), `si_code`). That the terminal was hung up is told to the
    /// leader of the session alone (`tty_signal_session_leader` in drivers/tty/tty_jobctrl.c): nobody else hears of it.
    #[must_use]
    pub fn of(number: i32, code: i32) -> Origin {
        match (number, code) {
            (libc::SIGHUP, _) => Origin::Process,
            (_, libc::SI_KERNEL) => Origin::Terminal,
            _ => Origin::Process,
        }
    }
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that the user started.
    Guard(Guard),
    /// Its child.
    Monitor(Ward),
}

/// The guard's end.
#[derive(Debug)]
pub struct Guard {
    monitor: Pid,
    signals: SignalFd,
    orders: OwnedFd,
    own: Pulse,
    ear: Stethoscope,
    killed: bool,
    /// For how many looks everybody was let go.
    leaving: u32,
}

/// The monitor's end.
#[derive(Debug)]
pub struct Ward {
    /// What the answering thread beats.
    pub pulse: Pulse,
    orders: OwnedFd,
    ear: Stethoscope,
}

/// What the guard has for the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A signal that it was sent.
    Signal(Signal, Origin),
    /// Nothing more, for ever: it has ended.
    Gone,
}

/// Forks the monitor; the process must have one thread and block its signals.
///
/// # Errors
///
/// What fork(2), pipe2(2), mmap(2) or prctl(2) says.
pub fn split() -> Result<Side> {
    let (monitor, own) = (Pulse::new()?, Pulse::new()?);
    let (read, write) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    match sys::fork().context("failed to fork the monitor")? {
        ForkResult::Child => {
            drop(write);
            Ok(Side::Monitor(Ward {
                pulse: monitor,
                orders: read,
                ear: Stethoscope::new(own),
            }))
        }
        ForkResult::Parent { child } => {
            drop(read);
            never_dump()?;
            // For whoever looks at the process list.
            let _ = nix::sys::prctl::set_name(c"exetrail-guard");
            Ok(Side::Guard(Guard {
                monitor: child,
                signals: signals::listen()?,
                orders: write,
                own,
                ear: Stethoscope::new(monitor),
                killed: false,
                leaving: 0,
            }))
        }
    }
}

impl Guard {
    /// Watches over the monitor until it ends; the status to end with.
    ///
    /// # Errors
    ///
    /// What waiting for signals or for the monitor says.
    pub fn keep(mut self, target: Destination) -> Result<u8> {
        for standing in [cgroup::leave(), cgroup::leave_freezer()] {
            if let Standing::Within(reason) = standing {
                tell(&format!(
                    "the guard stays in the monitor's cgroup, and is frozen with it: {reason}"
                ));
            }
        }
        self.own.beat();
        // The monitor waits for this before it marks anything.
        self.order([0, 0]);
        let mut next = Instant::now() + TICK;
        loop {
            let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, until(next)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait for signals"),
            }
            while let Some(signal) = self
                .signals
                .read_signal()
                .context("failed to read signals")?
            {
                let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                if number == libc::SIGCHLD {
                    if let Some(status) = self.reap(target)? {
                        return Ok(status);
                    }
                } else {
                    let origin = u8::from(Origin::of(number, signal.ssi_code) == Origin::Process);
                    self.order([u8::try_from(number).unwrap_or(0), origin]);
                }
            }
            if Instant::now() >= next {
                next = Instant::now() + TICK;
                self.own.beat();
                if let Some(status) = self.look() {
                    return Ok(status);
                }
            }
        }
    }

    fn order(&self, order: [u8; 2]) {
        // A monitor that is gone is noticed by its end.
        let _ = nix::unistd::write(&self.orders, &order);
    }

    /// Looks whether the monitor lives; the status to end with where it is of no use any more and cannot end.
    fn look(&mut self) -> Option<u8> {
        if self.ear.pulse().is_let_go() {
            self.leaving += 1;
            return (self.leaving >= LEAVING).then(|| {
                let _ = kill(self.monitor, Signal::SIGKILL);
                tell("the monitor waits inside of the kernel and cannot end; nobody waits for it");
                UNWATCHED
            });
        }
        let silent = self.ear.listen();
        if silent == SILENT {
            self.killed = true;
            // Our child, not reaped yet: the id is its own.
            let _ = kill(self.monitor, Signal::SIGKILL);
        } else if silent == 2 * SILENT {
            tell("the monitor stands still and cannot be killed: what it watched may stand still");
        }
        None
    }

    /// The status to end with, once the monitor has ended.
    fn reap(&self, target: Destination) -> Result<Option<u8>> {
        let status = match sys::reap(Some(self.monitor), WaitPidFlag::WNOHANG) {
            Ok(Some((_, status))) => status,
            Ok(None) | Err(Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno).context("failed to wait for the monitor"),
        };
        let Some(signal) = status.signal() else {
            return Ok(Some(sys::shell_status(status)));
        };
        let why = match (self.killed, status.core_dumped()) {
            (true, _) => "the monitor stood still and was killed by its guard".to_owned(),
            (false, dumped) => {
                let dumped = if dumped { ", and dumped core" } else { "" };
                let signal = sys::signal_name(signal);
                format!("the monitor was ended by {signal}{dumped}")
            }
        };
        say_unwatched(&why, target);
        Ok(Some(UNWATCHED))
    }
}

/// Says on standard error, and in syslog where lines go there, that nothing is watched any more.
pub fn say_unwatched(reason: &str, target: Destination) {
    let text = format!("unwatched: {reason}");
    tell(&text);
    if target == Destination::Syslog
        && let Ok(syslog) = Syslog::connect(SOCKET.as_ref())
        && let Ok((stop, ringer)) = pipe2(OFlag::O_CLOEXEC)
    {
        // A daemon that does not read is not waited for.
        drop(ringer);
        let _ = syslog.send(text.as_bytes(), stop.as_fd());
    }
}

impl Ward {
    /// Waits until the guard is where it will stay.
    ///
    /// # Errors
    ///
    /// It has ended before.
    pub fn wait(&self) -> Result<()> {
        let mut order = [0; 2];
        loop {
            match nix::unistd::read(&self.orders, &mut order) {
                Ok(2) => return Ok(()),
                Err(Errno::EINTR) => {}
                Ok(_) | Err(_) => bail!("the guard has ended before anything was watched"),
            }
        }
    }

    /// Readable when there is an order.
    #[must_use]
    pub fn orders(&self) -> &OwnedFd {
        &self.orders
    }

    /// Reads an order; call it when there is one.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        let mut order = [0; 2];
        match nix::unistd::read(&self.orders, &mut order) {
            Ok(2) => {
                let [number, origin] = order;
                let signal = Signal::try_from(i32::from(number)).ok()?;
                let origin = match origin {
                    0 => Origin::Terminal,
                    _ => Origin::Process,
                };
                Some(Order::Signal(signal, origin))
            }
            Err(Errno::EINTR) => None,
            Ok(_) | Err(_) => Some(Order::Gone),
        }
    }

    /// Looks whether the guard goes on; call it every [`Ward::GLANCE`].
    pub fn guard_stands_still(&mut self) -> bool {
        self.ear.listen() >= 6
    }

    /// How often to look: six looks are the same 3 s.
    pub const GLANCE: Duration = Duration::from_millis(500);
}

#[cfg(test)]
mod tests {
    use super::{Origin, libc};

    #[test]
    fn a_key_is_told_from_a_process() {
        let of = |number, code| Origin::of(number, code);
        assert_eq!(of(libc::SIGINT, libc::SI_KERNEL), Origin::Terminal);
        assert_eq!(of(libc::SIGINT, libc::SI_USER), Origin::Process);
        assert_eq!(of(libc::SIGTERM, libc::SI_QUEUE), Origin::Process);
    }

    #[test]
    fn a_terminal_that_is_hung_up_tells_its_leader_alone() {
        assert_eq!(Origin::of(libc::SIGHUP, libc::SI_KERNEL), Origin::Process);
    }
}
