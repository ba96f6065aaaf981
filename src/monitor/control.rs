//! The main thread: puts everything into place, then waits for signals, time and ends.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use super::answer::{Answerer, Hold};
use super::census::Census;
use super::command::Gated;
use super::output::{Output, tell};
use super::queue::{Account, Bounds, queue};
use super::syslog::{SOCKET, Syslog};
use super::tree::Tree;
use super::writer::{Sink, Writer};
use super::{Options, Scope, Summary, Target};
use crate::observer::fanotify::{Class, Group, Stat, never_dump};
use crate::sys;
use crate::wire::until;

/// How often it is looked whether a process is held for too long.
const GLANCE: Duration = Duration::from_secs(1);
/// What no look at a process takes: then we are stuck, and end at once so that the others go on.
const TOO_LONG: Duration = Duration::from_secs(10);
/// How long a slow reader is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a watch ended.
#[derive(Debug)]
pub struct Ending {
    /// What was counted.
    pub summary: Summary,
    /// The command's status; 0 without one.
    pub status: u8,
}

/// Watches until signals, time, count or the command end it.
///
/// # Errors
///
/// What cannot be watched, and why.
pub fn run(options: Options) -> Result<Ending> {
    let signals = listen()?;
    let command = match options.command.is_empty() {
        true => None,
        // While this process has one thread and no group.
        false => Some(Gated::fork(&options.command)?),
    };
    if command.is_some() {
        // What the command leaves behind becomes ours, and so stays in its tree.
        nix::sys::prctl::set_child_subreaper(true).context("failed to become the subreaper")?;
    }
    let mut threads = Threads::start(&options, command.as_ref())?;
    tell(&header(&options));
    let mut control = Control {
        signals,
        command,
        status: None,
        asked: 0,
    };
    if let Some(command) = &control.command {
        command.open()?;
    }
    let deadline = options.time.map(|time| Instant::now() + time);
    control.follow(&threads, deadline)?;
    let summary = threads.end()?;
    tell(&summary.to_string());
    let status = control.finish()?;
    Ok(Ending { summary, status })
}

fn header(options: &Options) -> String {
    let what = match options.scope {
        Scope::Mount => "mount",
        Scope::Filesystem => "file system",
    };
    format!(
        "watching the {what} of {}: open, execute; Ctrl-C ends",
        options.place.display()
    )
}

/// Becomes readable at a signal.
fn listen() -> Result<SignalFd> {
    let mut mask = SigSet::empty();
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ] {
        mask.add(signal);
    }
    let mut blocked = mask;
    // What stops a job at its terminal would stop everybody who waits for an answer; they stay
    // pending for ever. SIGSTOP cannot be blocked.
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        blocked.add(signal);
    }
    blocked.thread_block().context("failed to block signals")?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&mask, flags).context("failed to listen for signals")
}

/// The two threads, and the pipes by whose ends they are told to stop and tell that they did.
struct Threads {
    answerer: Option<JoinHandle<Result<Summary>>>,
    answered: OwnedFd,
    stop_answering: Option<OwnedFd>,
    writer: Option<JoinHandle<Writer>>,
    wrote: OwnedFd,
    stop_writing: Option<OwnedFd>,
    account: Arc<Account>,
    hold: Arc<Hold>,
}

impl Threads {
    fn start(options: &Options, command: Option<&Gated>) -> Result<Threads> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe");
        let sink = match options.target {
            Target::Stdout => {
                let stdout = std::io::stdout().as_fd().try_clone_to_owned();
                Sink::Output(Output::new(
                    stdout.context("failed to take over standard output")?,
                ))
            }
            Target::Syslog => Sink::Syslog(Syslog::connect(SOCKET.as_ref())?),
        };
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
        let hold = Hold::new();
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
            filter: options.filter.clone(),
            left: options.count,
            inlet,
            hold: Arc::clone(&hold),
            stop,
            summary: Summary::default(),
            census: Census::default(),
        };
        let (sender, marked) = mpsc::channel();
        let (scope, place) = (options.scope, options.place.clone());
        let answerer = spawn("answerer", answering, move || {
            // From the mark on, the next open waits for this very thread.
            let result = match scope {
                Scope::Mount => answerer.group.watch_mount(&place),
                Scope::Filesystem => answerer.group.watch_filesystem(&place),
            };
            let failed = result.is_err();
            // The main thread waits for it right below.
            let _ = sender.send(result);
            if failed {
                Ok(Summary::default())
            } else {
                answerer.run()
            }
        })?;
        marked.recv().context("the answering thread ended")??;
        Ok(Threads {
            answerer: Some(answerer),
            answered,
            stop_answering: Some(stop_answering),
            writer: Some(writer),
            wrote,
            stop_writing: Some(stop_writing),
            account,
            hold,
        })
    }

    /// Closes the group, gives the writer a moment, and counts.
    fn end(&mut self) -> Result<Summary> {
        drop(self.stop_answering.take());
        let answerer = self.answerer.take().context("ended twice")?;
        let summary = answerer
            .join()
            .map_err(|_| anyhow!("the answering thread panicked"))?;
        let mut written = ends_within(&self.wrote, PATIENCE);
        drop(self.stop_writing.take());
        written = written || ends_within(&self.wrote, PATIENCE);
        let mut summary = summary?;
        summary.shown = self.account.written();
        summary.lost = self.account.lost_at_the_end();
        // A writer that is stuck in a write ends with the process.
        if let (true, Some(writer)) = (written, self.writer.take())
            && let Ok(mut writer) = writer.join()
        {
            writer.end(&summary);
        }
        Ok(summary)
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
    command: Option<Gated>,
    status: Option<u8>,
    asked: u32,
}

impl Control {
    /// Waits until the watch is to end.
    fn follow(&mut self, threads: &Threads, deadline: Option<Instant>) -> Result<()> {
        let mut reader_gone = false;
        loop {
            let glance = Instant::now() + GLANCE;
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
            ];
            match poll(&mut fds, until(next)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait"),
            }
            let [_, answered, wrote] = fds.map(|fd| fd.any().unwrap_or(true));
            if threads.hold.time() > TOO_LONG {
                tell(
                    "a process is held for too long: ending at once, so that it goes on unwatched",
                );
                sys::exit_now(2);
            }
            if self.heard()? || answered || deadline.is_some_and(|at| at <= Instant::now()) {
                return Ok(());
            }
            if wrote && !reader_gone {
                reader_gone = true;
                // Without a command there is nothing left to do it for.
                if self.command.is_none() {
                    return Ok(());
                }
            }
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
                Ok(other) => end |= self.asked_to_end(other, signal.ssi_code),
                Err(_) => {}
            }
        }
        Ok(end)
    }

    /// The first signal is the command's business; the second one ends it.
    fn asked_to_end(&mut self, signal: Signal, code: i32) -> bool {
        self.asked += 1;
        match &self.command {
            None => true,
            Some(_) if self.status.is_some() => true,
            Some(command) if self.asked == 1 => {
                // A key at the terminal has reached the command already.
                if code != libc::SI_KERNEL {
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
            let (pid, status) = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, status),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => {
                    return Ok(self.status.is_some());
                }
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno).context("failed to wait for the command"),
            };
            if let Some(command) = &self.command
                && command.pid == pid
            {
                self.status = Some(u8::try_from(status).unwrap_or(u8::MAX));
                if let Some(failure) = command.failure() {
                    tell(&failure);
                }
            }
        }
    }

    /// Waits for a command that outlives the watch; its status, or 0 without one.
    fn finish(&mut self) -> Result<u8> {
        while self.command.is_some() && self.status.is_none() {
            let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, until(Instant::now() + GLANCE)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait for the command"),
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
