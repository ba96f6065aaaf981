//! Starts a program from the launcher and waits for the whole tree.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use serde::{Deserialize, Serialize};

use super::Exec;
use super::ends::Ends;
use super::execs::Execs;
use super::premise::{Premise, Surroundings};
use super::submit::{submit, submitted};
use crate::observer::fanotify::{forget_call, steps_before_call};
use crate::subject::{TELL_FD, say_state};
use crate::sys::{self, ForkResult};
use crate::trail::{Exit, How, LaunchCall, SelfReport};
use crate::wire::Submit;

/// What a launch left: the start, and every end that was reaped.
#[derive(Debug)]
pub struct Launched {
    /// The start.
    pub call: LaunchCall,
    /// Ends of the child and of what became the launcher's by its parent's death.
    pub exits: Vec<Exit>,
    /// The child dumped core, by its wait status.
    pub dumped: bool,
    /// What programs of ours said of themselves.
    pub words: Vec<SelfReport>,
    /// What the model is told of the call.
    pub premise: Option<Premise>,
}

/// Where the child keeps the descriptor that tells of a failed call: out of the way of those that
/// the call itself opens.
const REPORT_FD: i32 = 100;
/// Where it keeps the descriptor at which it waits until it was looked at.
const GATE_FD: i32 = 102;

/// Why a child became no program.
#[derive(Debug, Serialize, Deserialize)]
enum Failed {
    /// The call said so: part of what is observed.
    Call(i32),
    /// What comes before the call did not work.
    Before(String),
}

/// Forks a child that makes the call, and waits until no descendant is left.
///
/// Before anything of the scenario's the child submits itself to observers. With `surroundings` it
/// is looked at for the model before it makes the call. What is written goes to `output`, or to `/dev/null` where there is none.
///
/// # Errors
///
/// The child cannot be forked, prepared or waited for.
pub fn launch(
    exec: &Exec,
    submits: &[Submit],
    surroundings: Option<&Surroundings<'_>>,
    output: Option<&OwnedFd>,
) -> Result<Launched> {
    let exec = &submitted(exec, submits)?;
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .context("failed to open /dev/null")?;
    let standard = [&null, output.unwrap_or(&null)];
    let (read, write) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let (told, tell) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let ends = Ends::new(told)?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, gate) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)
        .context("failed to make a gate")?;
    forget_call();
    let child = match sys::fork().context("failed to fork")? {
        ForkResult::Child => sys::exit_now(child(exec, submits, standard, &[&write, &tell, &gate])),
        ForkResult::Parent { child } => child,
    };
    drop((write, tell, gate));
    let stands = wait_at_gate(&ours);
    let premise = stands
        .then(|| surroundings?.look(exec, child.as_raw()))
        .flatten();
    let execs = (stands && exec.is_itself()).then(|| Execs::of(child.as_raw()));
    // It goes on when the gate is gone.
    drop(ours);
    let mut failed = Vec::new();
    File::from(read)
        .read_to_end(&mut failed)
        .context("failed to hear of the call")?;
    let mut exits = Vec::new();
    let mut dumped = false;
    let said = ends.wait(|pid, status| {
        dumped |= pid == child && status.core_dumped();
        exits.push(exit(pid, status));
    })?;
    let call = LaunchCall {
        pid: child.as_raw(),
        call: exec.call().to_owned(),
        path: exec.what(),
        after: steps_before_call(),
    };
    if let Some(errno) = errno_of(&failed)? {
        let how = How::Errno(format!("{errno:?}"));
        exits.retain(|exit| exit.pid != child.as_raw());
        exits.push(Exit {
            pid: child.as_raw(),
            how,
        });
    }
    for exit in exits.iter_mut().filter(|exit| exit.pid == child.as_raw()) {
        if let (How::Signal(signal), Some(execs)) = (&exit.how, &execs)
            && !execs.have_succeeded()?
        {
            exit.how = How::SignalInExec(signal.clone());
        }
    }
    let words = words(&said)?;
    if exec.is_telling() && words.is_empty() && exits.iter().any(|exit| exit.how == How::Exit(0)) {
        bail!("the program did not say what it was told");
    }
    Ok(Launched {
        call,
        exits,
        dumped,
        words,
        premise,
    })
}

/// The errno of a call that failed, by what its child reported; none where the child reported nothing.
fn errno_of(report: &[u8]) -> Result<Option<Errno>> {
    if report.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(report).context("a failure that is cut")? {
        Failed::Call(errno) => Ok(Some(Errno::from_raw(errno))),
        Failed::Before(reason) => bail!("before the call: {reason}"),
    }
}

/// Whether the child stands before its call; false when it never came so far.
fn wait_at_gate(gate: &OwnedFd) -> bool {
    let mut ready = [0; 1];
    loop {
        match nix::unistd::read(gate, &mut ready) {
            Err(Errno::EINTR) => {}
            answer => return answer == Ok(1),
        }
    }
}

/// Waits, in the child, until it was looked at.
fn stop_at_gate() {
    let gate = sys::adopt_fd(GATE_FD);
    let mut end = [0; 1];
    // Without a launcher there is nobody to wait for.
    let _ = nix::unistd::write(&gate, &[1]);
    while nix::unistd::read(&gate, &mut end) == Err(Errno::EINTR) {}
}

/// The child's side, with its input and its output; returns its exit status.
fn child(exec: &Exec, submits: &[Submit], standard: [&OwnedFd; 2], links: &[&OwnedFd; 3]) -> i32 {
    let prepared = prepare(exec, standard, links)
        .map_err(anyhow::Error::from)
        .and_then(|()| submits.iter().try_for_each(submit))
        .and_then(|()| exec.prepare())
        .map(|()| stop_at_gate());
    let failed = match prepared {
        Err(error) => Failed::Before(format!("{error:#}")),
        Ok(()) => match exec.make() {
            Ok(()) => return 0,
            Err(errno) => {
                if !exec.fields().is_empty() {
                    // Who cannot say it has said nothing, and the scenario misses it.
                    let _ = say_state(exec.fields());
                }
                Failed::Call(errno as i32)
            }
        },
    };
    report(&failed);
    1
}

/// Ends the child for a call that has failed, from whichever of its threads: the others may wait for what does not come
/// any more.
pub(super) fn end_failed(errno: Errno) -> ! {
    report(&Failed::Call(errno as i32));
    sys::exit_now(1)
}

fn report(failed: &Failed) {
    // Nobody can be told when this fails as well; the exit status is still not 0.
    let report = sys::adopt_fd(REPORT_FD);
    let text = serde_json::to_vec(failed).unwrap_or_default();
    let _ = nix::unistd::write(&report, &text);
}

fn prepare(exec: &Exec, standard: [&OwnedFd; 2], links: &[&OwnedFd; 3]) -> nix::Result<()> {
    let [input, output] = standard;
    dup2_stdin(input)?;
    dup2_stdout(output)?;
    dup2_stderr(output)?;
    place(exec, links)?;
    sys::close_fds_from(3, 99)?;
    sys::close_fds_from(103, u32::MAX)?;
    sys::reset_signals()?;
    // A session of its own: no terminal, and no signal of a process group from elsewhere.
    setsid()?;
    umask(Mode::from_bits_truncate(0o022));
    chdir("/")
}

/// Gives the child's descriptors their numbers. Any of them may be a number that one of the three has already.
fn place(exec: &Exec, links: &[&OwnedFd; 3]) -> nix::Result<()> {
    let [report, tell, gate] = links.map(|link| sys::raise_fd(link.as_fd(), GATE_FD + 1));
    sys::place_fd(report?.as_fd(), REPORT_FD)?;
    sys::place_fd(gate?.as_fd(), GATE_FD)?;
    match exec.is_telling() {
        true => sys::lend_fd(tell?.as_fd(), TELL_FD),
        false => sys::place_fd(tell?.as_fd(), TELL_FD),
    }
}

/// The lines that programs wrote who were asked to.
fn words(said: &[u8]) -> Result<Vec<SelfReport>> {
    let text = std::str::from_utf8(said).context("failed to hear of what programs were told")?;
    text.lines()
        .map(|line| serde_json::from_str(line).context("failed to read what a program was told"))
        .collect()
}

/// How a process ended. Whether it dumped core is not part of it ([`Launched::dumped`]).
fn exit(pid: Pid, status: ExitStatus) -> Exit {
    let how = match status.signal() {
        Some(signal) => How::Signal(sys::signal_name(signal)),
        None => How::Exit(status.code().unwrap_or_default()),
    };
    let pid = pid.as_raw();
    Exit { pid, how }
}
