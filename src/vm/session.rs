//! One boot, from QEMU's start to its end, in bounded time.

mod breakdown;

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, send};

pub use breakdown::Breakdown;
use breakdown::{End, Seen};

use super::console::Console;
use super::control::Control;
use super::cpus::{self, Cpu};
use super::machine::{Machine, Running, STATE_FD, Start};
use crate::wire::{Chunk, Link, Message, Order, until};

/// How long a kernel may take from QEMU's start to PID 1, under emulation on a busy machine.
pub const BOOT: Duration = Duration::from_secs(90);

/// What "as long as it takes" is for poll(2).
pub const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How much of what QEMU says of itself is kept.
const COMPLAINTS: usize = 64 << 10;

/// So little time without a CPU gives no more patience.
const SLICE: Duration = Duration::from_millis(100);

/// How long QEMU may take to end that has closed its channel.
const ENDING: Duration = Duration::from_secs(5);

/// How long a machine may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From QEMU's start to PID 1.
    pub boot: Duration,
    /// From QEMU's start to its end, whatever the guest says meanwhile.
    pub whole: Duration,
}

/// How long the next message may take, the time not counted in which QEMU waits for a CPU; none for as long as it
/// takes.
pub type Patience = Option<Duration>;

/// What hears the messages of a guest. An error is what is wrong with one that no honest guest sends,
/// and ends the session.
pub type Hear<'a> = dyn FnMut(Message) -> Result<Patience, String> + 'a;

/// Runs a machine until its guest says that it is done.
///
/// The guest gets an order each time that it is ready for one; one that was saved was ready then.
/// `heard` gets every message and says how long to wait for the next one. `stop` becomes readable when
/// the user wants to stop. QEMU is gone when this returns.
///
/// # Errors
///
/// A [`Breakdown`]: what happened, and the console's last lines.
pub fn run(
    machine: Machine<'_>,
    orders: &[Order],
    limits: Limits,
    stop: BorrowedFd<'_>,
    heard: &mut Hear<'_>,
) -> Result<(), Breakdown> {
    let is_saved = matches!(machine.start, Start::Saved(..));
    session(machine, orders, |session| {
        if is_saved {
            session.control(|control| control.restore(STATE_FD))?;
            // Its PID 1 was up when it was saved.
            session.reached = true;
            session.order()?;
        }
        match session.follow(limits, stop, heard)? {
            Reached::Done => Ok(()),
            Reached::Idle(_) => Err(End::Guest("the guest asked for more to do".to_owned())),
        }
    })
}

/// Boots a machine, has its guest follow orders, and saves it where it is ready for the next one.
///
/// # Errors
///
/// A [`Breakdown`]: what happened, and the console's last lines.
pub fn save(
    machine: Machine<'_>,
    orders: &[Order],
    boot: Duration,
    stop: BorrowedFd<'_>,
    state: BorrowedFd<'_>,
) -> Result<(), Breakdown> {
    let begin = Instant::now();
    session(machine, orders, |session| {
        // Silence is found out before the end of all.
        let limits = Limits {
            boot,
            whole: 5 * boot,
        };
        let mut heard = |_| Err("it tells of what it was not asked for".to_owned());
        match session.follow(limits, stop, &mut heard)? {
            Reached::Idle(up) => {
                unhurried(up, begin.elapsed()).map_err(End::Unsaved)?;
                session
                    .control(|control| control.save(state))
                    .map_err(|end| match end {
                        End::System(error) => End::Unsaved(error),
                        other => other,
                    })
            }
            Reached::Done => Err(End::Guest("the guest ended unasked".to_owned())),
        }
    })
}

/// Whether the clock of a guest can be believed: a kernel that measures its time stamp counter all the same, being told by a
/// user or not understanding us ([`super::tsc`]), may hurry through every deadline, each time that it is restored.
fn unhurried(up: Duration, real: Duration) -> anyhow::Result<()> {
    anyhow::ensure!(
        up <= real + real / 2 + SLICE,
        "its clock runs too fast, {:.1} s in {:.1} s",
        up.as_secs_f64(),
        real.as_secs_f64()
    );
    Ok(())
}

fn session(
    machine: Machine<'_>,
    orders: &[Order],
    act: impl FnOnce(&mut Session) -> Result<(), End>,
) -> Result<(), Breakdown> {
    let running = machine
        .run()
        .map_err(|error| Breakdown::Broken(format!("{error:#}")))?;
    let mut session = Session::new(running, orders);
    let result = act(&mut session);
    if matches!(&result, Err(End::Channel(_))) {
        session.let_end();
    }
    let status = session.end();
    result.map_err(|end| end.explain(&session.seen(), status))
}

/// How far a guest came.
enum Reached {
    /// It has done what it was to do.
    Done,
    /// It is ready for an order, and there is none; how long it is up by its own clock.
    Idle(Duration),
}

/// How much time a guest still has.
struct Clock {
    /// How long the next message may take.
    patience: Patience,
    /// When that time is over.
    deadline: Instant,
    /// How long QEMU had waited for a CPU when that time began.
    waited: Duration,
    /// When everything is over.
    whole: Instant,
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
    orders: VecDeque<Order>,
    control: Control,
}

/// Our standard input on its way into a guest.
struct Input {
    to: OwnedFd,
    /// The guest has asked for more.
    wanted: bool,
    /// What of a chunk QEMU has not taken yet: it may not read, and we wait for it as for everybody else.
    left: Vec<u8>,
}

impl Input {
    fn new(to: OwnedFd) -> Input {
        Input {
            to,
            wanted: false,
            left: Vec::new(),
        }
    }

    /// What has to be ready before anything can be done; nothing where the guest wants nothing.
    fn waits_for<'a>(&'a self, stdin: BorrowedFd<'a>) -> Option<PollFd<'a>> {
        match (self.left.is_empty(), self.wanted) {
            (false, _) => Some(PollFd::new(self.to.as_fd(), PollFlags::POLLOUT)),
            (true, true) => Some(PollFd::new(stdin, PollFlags::POLLIN)),
            (true, false) => None,
        }
    }

    /// Does what [`Input::waits_for`] has waited for.
    fn hand_on(&mut self) {
        if self.left.is_empty() {
            self.take();
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.to.as_raw_fd(), &self.left, flags) {
            Ok(sent) => drop(self.left.drain(..sent)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // A machine that is gone is noticed elsewhere.
            Err(_) => self.left.clear(),
        }
    }

    /// Reads what there is; an end, or an input that cannot be read, is an empty chunk.
    fn take(&mut self) {
        let mut chunk = [0; Chunk::MOST];
        let length = match nix::unistd::read(std::io::stdin(), &mut chunk) {
            Ok(length) => length,
            Err(Errno::EINTR | Errno::EAGAIN) => return,
            Err(_) => 0,
        };
        self.wanted = false;
        // Fails for a chunk alone that is too long.
        let _ = Chunk(chunk[..length].to_vec()).write(&mut self.left);
    }
}

impl Session {
    fn new(running: Running, orders: &[Order]) -> Session {
        let Running {
            child,
            console,
            records,
            complaints,
            input,
            control,
        } = running;
        Session {
            child,
            records: Link::new(records),
            console_fd: console,
            complaints_fd: complaints,
            console: Console::default(),
            complaints: Vec::new(),
            reached: false,
            input: input.map(Input::new),
            orders: orders.iter().cloned().collect(),
            control: Control::new(control),
        }
    }

    /// Has QEMU itself do something.
    fn control(&mut self, act: impl FnOnce(&mut Control) -> anyhow::Result<()>) -> Result<(), End> {
        act(&mut self.control).map_err(End::System)
    }

    /// Where the CPUs of a guest are that says nothing more; nothing where QEMU does not say it either.
    fn cpus(&mut self) -> Vec<Cpu> {
        cpus::read(&self.control.registers().unwrap_or_default())
    }

    /// Gives the guest its next order; false when there is none.
    fn order(&mut self) -> Result<bool, End> {
        let Some(order) = self.orders.pop_front() else {
            return Ok(false);
        };
        self.records.send(&order).map_err(End::Channel)?;
        Ok(true)
    }

    fn follow(
        &mut self,
        limits: Limits,
        stop: BorrowedFd<'_>,
        heard: &mut Hear<'_>,
    ) -> Result<Reached, End> {
        let begin = Instant::now();
        let mut clock = Clock {
            patience: Some(limits.boot),
            deadline: begin + limits.boot,
            waited: self.waited(),
            whole: begin + limits.whole,
        };
        loop {
            if let Some(reached) = self.hear(&mut clock, heard)? {
                return Ok(reached);
            }
            if self.console.is_hopeless() || self.is_paused() {
                return Err(End::Hopeless);
            }
            // A guest that always has something to say passes no deadline but this one.
            if Instant::now() >= clock.whole {
                return Err(End::Whole(limits.whole));
            }
            self.wait(&mut clock, stop)?;
        }
    }

    /// Hears what has come; how far the guest is, where that is the end.
    fn hear(&mut self, clock: &mut Clock, heard: &mut Hear<'_>) -> Result<Option<Reached>, End> {
        while let Some(message) = self.records.hear().map_err(End::Channel)? {
            self.reached = true;
            match message {
                Message::Done => return Ok(Some(Reached::Done)),
                Message::Failed { reason } => return Err(End::Guest(reason)),
                Message::Ready { up_ms } => {
                    if !self.order()? {
                        return Ok(Some(Reached::Idle(Duration::from_millis(up_ms))));
                    }
                }
                Message::More => {
                    if let Some(input) = &mut self.input {
                        input.wanted = true;
                    }
                }
                message => {
                    clock.patience = heard(message).map_err(End::Nonsense)?;
                    clock.deadline = Instant::now() + clock.patience.unwrap_or(FOR_EVER);
                    clock.waited = self.waited();
                }
            }
        }
        Ok(None)
    }

    /// Waits for anything to happen, and takes what is there.
    fn wait(&mut self, clock: &mut Clock, stop: BorrowedFd<'_>) -> Result<(), End> {
        let stdin = std::io::stdin();
        let input = self.input.as_ref();
        let input = input.and_then(|input| input.waits_for(stdin.as_fd()));
        let wanted = input.is_some();
        let mut fds = [
            PollFd::new(self.records.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.console_fd.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.complaints_fd.as_fd(), PollFlags::POLLIN),
            PollFd::new(stop, PollFlags::POLLIN),
            input.unwrap_or_else(|| PollFd::new(stop, PollFlags::POLLIN)),
        ];
        match poll(&mut fds, until(clock.deadline.min(clock.whole))) {
            Ok(0) if clock.deadline <= clock.whole => return self.pass_deadline(clock),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => {
                let error = anyhow::Error::from(errno);
                return Err(End::System(error.context("failed to wait for QEMU")));
            }
        }
        let [records, console, complaints, stop, input] = fds.map(|fd| fd.any().unwrap_or(true));
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
                keep(&mut self.complaints, bytes)
            });
        }
        if records {
            self.records.fill().map_err(End::Channel)?;
        }
        Ok(())
    }

    /// A machine that was kept from its CPU cannot be quick: that time is none of its own, and it gets it once more.
    fn pass_deadline(&mut self, clock: &mut Clock) -> Result<(), End> {
        let more = self.waited().saturating_sub(clock.waited);
        if more < SLICE {
            let patience = clock.patience.unwrap_or(FOR_EVER);
            return Err(End::Deadline(patience, self.cpus()));
        }
        clock.waited += more;
        clock.deadline += more;
        Ok(())
    }

    /// How long that thread of QEMU's has waited for a CPU in all that waited most: the second number of
    /// `schedstat` (sched-stats.rst). Nothing where the kernel does not count it.
    fn waited(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let texts = tasks.map(|task| std::fs::read_to_string(task.path().join("schedstat")));
        let delays = texts.filter_map(|text| run_delay(&text.ok()?));
        delays.max().unwrap_or_default()
    }

    /// Whether QEMU has stopped the guest for ever, which it does without ending.
    fn is_paused(&self) -> bool {
        let marker = b"KVM internal error";
        self.complaints
            .windows(marker.len())
            .any(|window| window == marker)
    }

    /// Waits for the end of QEMU that has closed its channel: it is on its way, and a signal of ours would
    /// be told as its reason. It has closed what it complains to when it is past all that could change its status.
    fn let_end(&mut self) {
        let deadline = Instant::now() + ENDING;
        loop {
            let mut fds = [PollFd::new(self.complaints_fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, until(deadline)) {
                Err(Errno::EINTR) => {}
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let more = take(&self.complaints_fd, |bytes| {
                        keep(&mut self.complaints, bytes)
                    });
                    if !more || Instant::now() >= deadline {
                        return;
                    }
                }
            }
        }
    }

    /// Ends QEMU and takes what it still had to say.
    fn end(&mut self) -> Option<ExitStatus> {
        // It may have ended already: then its own status says more than our signal's.
        let own = self.child.try_wait().ok().flatten();
        let _ = self.child.kill();
        let status = self.child.wait().ok();
        while take(&self.console_fd, |bytes| self.console.feed(bytes)) {}
        while take(&self.complaints_fd, |bytes| {
            keep(&mut self.complaints, bytes)
        }) {}
        own.or(status)
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            reached: self.reached,
            console: &self.console,
            complaints: &self.complaints,
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

fn run_delay(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Keeps what was read, up to the limit.
fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = COMPLAINTS.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
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

#[cfg(test)]
mod tests;
