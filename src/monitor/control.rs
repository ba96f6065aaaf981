//! The main thread: puts everything into place, then waits for signals, time and ends.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::WaitPidFlag;
use nix::unistd::{Pid, pipe2};

use super::answer::{Answerer, Refusals};
use super::census::Census;
use super::command::Gated;
use super::guard::{self, Order, Origin, Side, Ward, say_unwatched};
use super::output::{Output, tell};
use super::place::{self, Found, Place};
use super::pulse::{Life, Pulse};
use super::queue::{Account, Bounds, queue};
use super::rescue::{self, Looking, Rescuer};
use super::syslog::{SOCKET, Syslog};
use super::tree::Tree;
use super::writer::{Sink, Writer};
use super::{Destination, Options, Scope, Summary, UNWATCHED, cgroup, signals};
use crate::observer::fanotify::{Class, Group, never_dump, process_of};
use crate::proc::Stat;
use crate::sys;
use crate::wire::until;

/// How long a slow reader is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Watches until signals, time, count or the command end it; the status to end with.
///
/// It returns twice: in the guard, which this process becomes, and in the monitor, its child.
///
/// # Errors
///
/// What cannot be watched, and why.
pub fn run(options: Options) -> Result<u8> {
    let (place, found) = Place::find(&options.place)?;
    proc_is_ours()?;
    signals::block()?;
    let ward = match guard::split()? {
        Side::Guard(guard) => {
            drop(found);
            return guard.keep(options.target);
        }
        Side::Monitor(ward) => ward,
    };
    let command = match options.command.is_empty() {
        true => None,
        // While this process has one thread and no group.
        false => Some(Gated::fork(&options.command)?),
    };
    if command.is_some() {
        // What the command leaves behind becomes ours, and so stays in its tree.
        nix::sys::prctl::set_child_subreaper(true).context("failed to become the subreaper")?;
    }
    // Who stops a job stops its process group: the guard and the command, but not this process.
    nix::unistd::setpgid(Pid::this(), Pid::this()).context("failed to leave the process group")?;
    // Where it cannot be left, the guard says so for both.
    let _ = cgroup::leave_freezer();
    ward.wait()?;
    let mut threads = Threads::start(&options, (&place, found), command.as_ref(), &ward)?;
    tell(&header(&options, &place));
    let mut control = Control {
        signals: signals::listen()?,
        ward,
        command,
        status: None,
        asked: 0,
        told: 0,
        place,
    };
    if let Some(command) = &control.command {
        command.open()?;
    }
    let deadline = options.time.map(|time| Instant::now() + time);
    let mut end = control.follow(&threads, deadline)?;
    let (summary, trouble) = threads.end()?;
    control.tell_refusals(&threads);
    if let Some(reason) = trouble {
        end = End::Unwatched(reason);
    }
    if let Some(summary) = summary {
        tell(&summary.to_string());
    }
    if let End::Unwatched(reason) = end {
        say_unwatched(&reason, options.target);
        // The command goes on; the guard, who is to wait for it, may be gone.
        return Ok(UNWATCHED);
    }
    control.finish()
}

/// Whether the ids of processes that events carry, which are of our namespace, mean the same in `/proc`.
fn proc_is_ours() -> Result<()> {
    let own = std::fs::read_link("/proc/self").context("failed to read /proc/self")?;
    if own.as_os_str() != std::process::id().to_string().as_str() {
        bail!(
            "/proc is of another namespace of process ids, and would name other processes: mount one of this \
             namespace over it (unshare --mount-proc)"
        );
    }
    Ok(())
}

/// Why a watch is over.
enum End {
    /// A signal, the time, the count, the command or the reader.
    Asked,
    /// Something else, while it should have gone on.
    Unwatched(String),
}

fn header(options: &Options, place: &Place) -> String {
    let what = match (options.scope, &place.mount, place.part()) {
        (Scope::Filesystem, ..) => {
            format!("the whole file system of {}", options.place.display())
        }
        (Scope::Mount, Some(mount), Some(part)) => format!(
            "the mount of {}, lines only for {}",
            mount.display(),
            part.display()
        ),
        (Scope::Mount, Some(mount), None) => format!("the mount of {}", mount.display()),
        // Where it begins cannot be told.
        (Scope::Mount, None, _) => format!("all of the mount that has {}", options.place.display()),
    };
    format!("watching {what}: open, execute; Ctrl-C ends")
}

/// The two threads, and the pipes by whose ends they are told to stop and tell that they did.
struct Threads {
    answerer: Option<JoinHandle<(Summary, Result<()>)>>,
    /// What the answering thread beats.
    pulse: Pulse,
    /// The end of who lets everybody go when that one does not come back.
    rescued: OwnedFd,
    answered: OwnedFd,
    stop_answering: Option<OwnedFd>,
    writer: Option<JoinHandle<Writer>>,
    wrote: OwnedFd,
    stop_writing: Option<OwnedFd>,
    account: Arc<Account>,
    refusals: Arc<Refusals>,
    /// The group's descriptor, for looking at it alone: the answering thread owns it.
    group: RawFd,
    /// This kernel tells of a group's marks.
    tells_of_marks: bool,
}

impl Threads {
    fn start(
        options: &Options,
        (place, found): (&Place, Found),
        command: Option<&Gated>,
        ward: &Ward,
    ) -> Result<Threads> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe");
        let sink = match options.target {
            Destination::Stdout => {
                let stdout = std::io::stdout().as_fd().try_clone_to_owned();
                Sink::Output(Output::new(
                    stdout.context("failed to take over standard output")?,
                ))
            }
            Destination::Syslog => Sink::Syslog(Syslog::connect(SOCKET.as_ref())?),
        };
        if let Some(pid) = options.filter.tree
            && let Some(process) = process_of(pid).filter(|process| *process != pid)
        {
            bail!("{pid} is a thread of the process {process}: --pid {process} shows it");
        }
        let tree = match command {
            // Its orphans come to us: our own tree is the command's.
            Some(_) => Some(std::process::id().cast_signed()),
            None => options.filter.tree,
        };
        let tree = tree.map(|pid| {
            let stat = Stat::read(pid).with_context(|| format!("there is no process {pid}"))?;
            anyhow::Ok(Tree::new((pid, stat.start)))
        });
        let tree = tree.transpose()?;
        more_descriptors();
        quiet_panics();
        never_dump()?;
        let group = Group::impatient(options.ids, Class::Content)?;
        let (inlet, outlet, account) = queue(Bounds::default());
        let (refusals, raw) = (Arc::new(Refusals::default()), group.as_fd().as_raw_fd());
        let looking = Looking::default();
        let rescuer = Rescuer::new(raw, looking.clone(), ward.pulse)?;
        // Asked while it is surely there: a watch of few events may be over at once.
        let tells_of_marks = place::is_marked(raw).is_some();
        let ((stop, stop_writing), (wrote, writing)) = (pipe()?, pipe()?);
        let writer = Writer {
            sink,
            format: options.format,
            outlet,
            account: Arc::clone(&account),
            stop,
            torn: false,
        };
        let writer = spawn("writer", writing, move || writer.run())?;
        let ((stop, stop_answering), (answered, answering)) = (pipe()?, pipe()?);
        let answerer = Answerer {
            group,
            ids: options.ids,
            tree,
            filter: match options.scope {
                Scope::Mount => options.filter.clone().below(place.part()),
                Scope::Filesystem => options.filter.clone(),
            },
            left: options.count,
            inlet,
            refusals: Arc::clone(&refusals),
            looking,
            stop,
            summary: Summary::default(),
            census: Census::default(),
            idle: Instant::now(),
            life: Life::begin(ward.pulse)?,
        };
        let (rescued, rescuing) = pipe()?;
        spawn("rescuer", rescuing, move || rescuer.run())?;
        let (sender, marked) = mpsc::channel();
        let scope = options.scope;
        let answerer = spawn("answerer", answering, move || {
            // From the mark on, the next open waits for this very thread.
            let result = match scope {
                Scope::Mount => answerer.group.watch_mount(&found.path()),
                Scope::Filesystem => answerer.group.watch_filesystem(&found.path()),
            };
            drop(found);
            let failed = result.is_err();
            // The main thread waits for it right below.
            let _ = sender.send(result);
            if failed {
                (Summary::default(), Ok(()))
            } else {
                answerer.run()
            }
        })?;
        marked.recv().context("the answering thread ended")??;
        Ok(Threads {
            answerer: Some(answerer),
            pulse: ward.pulse,
            rescued,
            answered,
            stop_answering: Some(stop_answering),
            writer: Some(writer),
            wrote,
            stop_writing: Some(stop_writing),
            account,
            refusals,
            group: raw,
            tells_of_marks,
        })
    }

    /// Closes the group, gives the writer a moment, and counts; also why answering failed, if it did. Where the
    /// answering thread does not come back, nobody knows what it has counted.
    fn end(&mut self) -> Result<(Option<Summary>, Option<String>)> {
        drop(self.stop_answering.take());
        let answerer = self.answerer.take().context("ended twice")?;
        let let_go = self.pulse.is_let_go();
        let (mut summary, result) = match let_go {
            true => (None, Err(anyhow!(rescue::REASON))),
            false => match answerer.join() {
                Ok((summary, result)) => (Some(summary), result),
                Err(_) => (None, Err(anyhow!("the answering thread panicked"))),
            },
        };
        let mut trouble = result.err().map(|error| format!("{error:#}"));
        // Lines come to their end where the answering thread does.
        let mut written = !let_go && ends_within(&self.wrote, PATIENCE);
        drop(self.stop_writing.take());
        written = written || ends_within(&self.wrote, PATIENCE);
        if let Some(summary) = &mut summary {
            summary.shown = self.account.written();
            summary.lost = self.account.lost_at_the_end();
        }
        // A writer that is stuck in a write ends with the process.
        if let (true, Some(writer)) = (written, self.writer.take()) {
            match (writer.join(), &summary) {
                (Ok(mut writer), Some(summary)) => writer.end(summary),
                (Ok(_), None) => {}
                (Err(_), _) => {
                    trouble.get_or_insert_with(|| "the writing thread panicked".to_owned());
                }
            }
        }
        Ok((summary, trouble))
    }
}

/// Starts a thread that holds one end of a pipe for as long as it runs.
fn spawn<T: Send + 'static>(
    name: &str,
    alive: OwnedFd,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let work = move || {
        let _alive = alive;
        work()
    };
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread
        .spawn(work)
        .with_context(|| format!("failed to start the thread \"{name}\""))
}

/// Whether the other end of a pipe is closed before the time is over.
fn ends_within(pipe: &OwnedFd, time: Duration) -> bool {
    let deadline = Instant::now() + time;
    loop {
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, until(deadline)) {
            Err(Errno::EINTR) => {}
            result => return result.is_ok_and(|ready| ready > 0),
        }
    }
}

/// What the main thread waits for.
struct Control {
    signals: SignalFd,
    ward: Ward,
    command: Option<Gated>,
    status: Option<u8>,
    asked: u32,
    /// How many refusals were told of.
    told: u64,
    place: Place,
}

impl Control {
    /// Waits until the watch is to end; why.
    fn follow(&mut self, threads: &Threads, deadline: Option<Instant>) -> Result<End> {
        let mut reader_gone = false;
        let mut glance = Instant::now() + Ward::GLANCE;
        // Without it, that a mount is gone cannot be noticed.
        if !threads.tells_of_marks {
            tell("this kernel does not tell of marks: an unmount will not be noticed");
        }
        loop {
            let next = deadline.map_or(glance, |deadline| deadline.min(glance));
            let wanted = if reader_gone {
                PollFlags::empty()
            } else {
                PollFlags::POLLIN
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
            if rescued && threads.pulse.is_let_go() {
                return Ok(End::Unwatched(rescue::REASON.to_owned()));
            }
            if ordered {
                match self.ward.order() {
                    Some(Order::Gone) => return Ok(End::Unwatched("the guard has ended".into())),
                    Some(Order::Signal(signal, origin)) if self.asked_to_end(signal, origin) => {
                        return Ok(End::Asked);
                    }
                    Some(Order::Signal(..)) | None => {}
                }
            }
            if self.heard()? || answered || deadline.is_some_and(|at| at <= Instant::now()) {
                return Ok(End::Asked);
            }
            if wrote && !reader_gone {
                reader_gone = true;
                // Without a command there is nothing left to do it for.
                if self.command.is_none() {
                    return Ok(End::Asked);
                }
            }
            if glance <= Instant::now() {
                glance = Instant::now() + Ward::GLANCE;
                self.tell_refusals(threads);
                if self.ward.guard_stands_still() {
                    return Ok(End::Unwatched("the guard stands still".into()));
                }
                if place::is_marked(threads.group) == Some(false) {
                    let place = self.place.path.display();
                    return Ok(End::Unwatched(format!("what {place} was on is unmounted")));
                }
            }
        }
    }

    /// Says what the kernel denied since it was last said.
    fn tell_refusals(&mut self, threads: &Threads) {
        let (count, errno) = threads.refusals.so_far();
        if count > self.told {
            let more = count - self.told;
            self.told = count;
            let why = match errno {
                // Before FAN_REPORT_FD_ERROR every reason is told by it (`fanotify_read`).
                Errno::EAGAIN => "somebody may have a lease on the file, which is being broken",
                errno => errno.desc(),
            };
            tell(&format!(
                "{more} opens were denied by the kernel, which could not open the file for the \
                 monitor; the last one: {errno:?}, {why}"
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

    /// The first signal is the command's business; the second one ends it.
    fn asked_to_end(&mut self, signal: Signal, origin: Origin) -> bool {
        self.asked += 1;
        match &self.command {
            None => true,
            Some(_) if self.status.is_some() => true,
            Some(command) if self.asked == 1 => {
                // A key at the terminal has reached the command already.
                if origin == Origin::Process {
                    command.signal(signal);
                }
                false
            }
            Some(command) => {
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
    fn finish(&mut self) -> Result<u8> {
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

/// As many descriptors as we may have: each event that is read brings one.
fn more_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // The old limit does as well: few events are read at once.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// A panic says its message and no more: a backtrace would open our own program, which may be on
/// the watched mount.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| tell(&format!("internal error: {panic}"))));
}
