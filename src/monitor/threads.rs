//! The threads of a watch: the one that answers, the one that writes, and the one that lets everybody go.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::pipe2;

use super::answer::{Answerer, Refusals};
use super::census::Census;
use super::command::Gated;
use super::guard::Ward;
use super::output::{Output, tell};
use super::place::{self, Found, Place};
use super::pulse::{Life, Pulse};
use super::queue::{Account, Bounds, queue};
use super::rescue::{self, Looking, Rescuer};
use super::syslog::{SOCKET, Syslog};
use super::tree::Tree;
use super::writer::{Sink, Writer};
use super::{Destination, Options, Scope, Summary};
use crate::observer::fanotify::{Class, Group, more_descriptors, never_dump, process_of};
use crate::proc::Stat;
use crate::wire::until;

/// How long a slow reader is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the answering thread has counted, and how it ended.
type Answered = (Summary, Result<()>);

/// The three threads, and the pipes by whose ends they tell that they ended, and the first two are told to.
#[derive(Debug)]
pub struct Threads {
    answerer: Option<JoinHandle<Answered>>,
    /// What the answering thread beats.
    pub pulse: Pulse,
    /// The end of who lets everybody go when that one does not come back.
    pub rescued: OwnedFd,
    /// Ends with the answering thread.
    pub answered: OwnedFd,
    stop_answering: Option<OwnedFd>,
    writer: Option<JoinHandle<Writer>>,
    /// Ends with the writing thread.
    pub wrote: OwnedFd,
    stop_writing: Option<OwnedFd>,
    account: Arc<Account>,
    /// What the kernel denied.
    pub refusals: Arc<Refusals>,
    /// The group's descriptor, for looking at it alone: the answering thread owns it.
    pub group: RawFd,
    /// This kernel tells of a group's marks.
    pub tells_of_marks: bool,
}

impl Threads {
    /// Starts them, and marks the place.
    ///
    /// # Errors
    ///
    /// What cannot be watched or written to, and why.
    pub fn start(
        options: &Options,
        (place, found): (&Place, Found),
        command: Option<&Gated>,
        ward: &Ward,
    ) -> Result<Threads> {
        let sink = sink(options.target)?;
        let tree = tree(options, command)?;
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
        let answerer = answer(answerer, answering, (options.scope, found))?;
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
    ///
    /// # Errors
    ///
    /// It was called before.
    pub fn end(&mut self) -> Result<(Option<Summary>, Option<String>)> {
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

/// Both ends of a pipe, the reading one first.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")
}

/// Where lines go, opened before anything is watched.
fn sink(target: Destination) -> Result<Sink> {
    Ok(match target {
        Destination::Stdout => {
            let stdout = std::io::stdout().as_fd().try_clone_to_owned();
            Sink::Output(Output::new(
                stdout.context("failed to take over standard output")?,
            ))
        }
        Destination::Syslog => Sink::Syslog(Syslog::connect(SOCKET.as_ref())?),
    })
}

/// The processes that are shown; none for all of them.
fn tree(options: &Options, command: Option<&Gated>) -> Result<Option<Tree>> {
    if let Some(pid) = options.filter.tree
        && let Some(process) = process_of(pid).filter(|process| *process != pid)
    {
        bail!("{pid} is a thread of the process {process}: --pid {process} shows it");
    }
    let root = match command {
        // Its orphans come to us: our own tree is the command's.
        Some(_) => Some(std::process::id().cast_signed()),
        None => options.filter.tree,
    };
    let tree = root.map(|pid| {
        let stat = Stat::read(pid).with_context(|| format!("there is no process {pid}"))?;
        Ok(Tree::new((pid, stat.start)))
    });
    tree.transpose()
}

/// Starts the answering thread, which marks the place itself: from the mark on, the next open waits for this very thread.
fn answer(
    answerer: Answerer,
    alive: OwnedFd,
    (scope, found): (Scope, Found),
) -> Result<JoinHandle<Answered>> {
    let (sender, marked) = mpsc::channel();
    let thread = spawn("answerer", alive, move || {
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
    Ok(thread)
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

/// A panic says its message and no more: a backtrace would open our own program, which may be on
/// the watched mount.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| tell(&format!("internal error: {panic}"))));
}
