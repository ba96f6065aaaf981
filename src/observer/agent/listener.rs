//! What the keeper does: it starts the agent, reads what that says at all times, and answers the runner.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;

use super::heard::{Heard, Stream};
use super::keeper::Order;
use crate::sys;
use crate::wire::{AgentCommand, Link, LinkError, until};

/// How often an output is read before somebody else's turn: as much as a pipe holds.
const TURN: usize = 4;
/// Where the agent's programs are looked for, after where it lies itself.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts an agent, and listens until nobody asks any more; what fails is said as its end.
pub(super) fn listen(link: Link, brought: &AgentCommand) {
    let mut listener = Listener::new(link);
    if let Err(error) = listener.begin(brought).and_then(|()| listener.serve()) {
        listener.end = Some(format!("is not heard any more: {error:#}"));
        // Whoever would read it may be gone.
        let _ = listener.answer();
    }
}

/// One output of the agent.
#[derive(Debug)]
struct Output {
    fd: File,
    stream: Stream,
    /// The beginning of a line.
    rest: Vec<u8>,
}

/// The state of the keeper.
struct Listener {
    link: Link,
    agent: Option<Pid>,
    outputs: Vec<Output>,
    heard: Heard,
    /// It said too much: nobody of it may live, or is heard.
    silenced: bool,
    end: Option<String>,
    order: Option<(Order, Instant)>,
}

impl Listener {
    fn new(link: Link) -> Listener {
        Listener {
            link,
            agent: None,
            outputs: Vec::new(),
            heard: Heard::default(),
            silenced: false,
            end: None,
            order: None,
        }
    }

    /// Starts the agent with nothing of ours but its three descriptors.
    fn begin(&mut self, brought: &AgentCommand) -> Result<()> {
        let own = u32::try_from(self.link.as_fd().as_raw_fd()).context("no descriptor")?;
        for (first, last) in [(3, own.wrapping_sub(1)), (own + 1, u32::MAX)] {
            if first <= last {
                sys::close_fds_from(first, last).context("failed to close what is not ours")?;
            }
        }
        nix::sys::prctl::set_child_subreaper(true).context("failed to be the subreaper")?;
        let mut agent = Command::new("/usr/bin/bash");
        agent.args(["-c", &brought.command]).current_dir("/");
        let path = brought.path.iter().map(String::as_str).chain([PATH]);
        let path = path.collect::<Vec<_>>().join(":");
        agent.env_clear().env("PATH", path).env("HOME", "/root");
        agent.stdin(Stdio::null()).process_group(0);
        agent.stdout(Stdio::piped()).stderr(Stdio::piped());
        sys::with_clean_signals(&mut agent);
        let mut child = agent.spawn().context("failed to start it")?;
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        for (fd, stream) in [(stdout, Stream::Report), (stderr, Stream::Error)] {
            let fd = fd.context("an output is missing")?;
            fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            self.outputs.push(Output {
                fd: File::from(fd),
                stream,
                rest: Vec::new(),
            });
        }
        self.agent = Some(Pid::from_raw(child.id().cast_signed()));
        Ok(())
    }

    /// Reads and answers until nobody asks any more.
    fn serve(&mut self) -> Result<()> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block().context("failed to block SIGCHLD")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let children = SignalFd::with_flags(&mask, flags).context("failed to hear of children")?;
        loop {
            let is_ordered = self.wait(&children)?;
            self.read();
            // After what it wrote last was read.
            while let Ok(Some(_)) = children.read_signal() {}
            self.reap();
            if self.silenced {
                // Whoever's parent has ended is our child by now.
                kill_children();
            }
            if is_ordered {
                match self.link.fill() {
                    Ok(()) => {}
                    Err(LinkError::Closed) => return Ok(()),
                    Err(error) => return Err(error).context("failed to read an order"),
                }
                while let Some(order) = self.link.take::<Order>()? {
                    let limit = Duration::from_millis(order.millis);
                    self.order = Some((order, Instant::now() + limit));
                }
            }
            if self.is_answer_due() {
                self.answer()?;
            }
        }
    }

    /// Waits until somebody says something, ends, or has waited long enough; says whether it is an order.
    fn wait(&self, children: &SignalFd) -> Result<bool> {
        let mut fds = vec![
            PollFd::new(self.link.as_fd(), PollFlags::POLLIN),
            PollFd::new(children.as_fd(), PollFlags::POLLIN),
        ];
        let outputs = self.outputs.iter();
        fds.extend(outputs.map(|one| PollFd::new(one.fd.as_fd(), PollFlags::POLLIN)));
        let deadline = self.order.as_ref().map(|(_, deadline)| *deadline);
        match poll(&mut fds, deadline.map_or(PollTimeout::NONE, until)) {
            Ok(_) | Err(Errno::EINTR) => Ok(fds[0].any().unwrap_or(true)),
            Err(errno) => Err(errno).context("failed to wait for the agent"),
        }
    }

    fn is_answer_due(&mut self) -> bool {
        self.order.as_ref().is_some_and(|(order, deadline)| {
            self.heard.has_come(&order.until) || self.end.is_some() || Instant::now() >= *deadline
        })
    }

    fn answer(&mut self) -> Result<()> {
        let order = self.order.take();
        let until = order.as_ref().map(|(order, _)| &order.until);
        let words = self.heard.answer(until, self.end.as_deref());
        self.link.send(&words).context("failed to answer")
    }

    /// Reads whatever is there.
    fn read(&mut self) {
        for mut output in std::mem::take(&mut self.outputs) {
            if self.turn(&mut output) == Open::Yes && !self.silenced {
                self.outputs.push(output);
            }
        }
    }

    /// Reads an output for a while: one that writes without end does not keep us from the others.
    fn turn(&mut self, output: &mut Output) -> Open {
        let Output { fd, stream, rest } = output;
        let mut buffer = [0; 16 << 10];
        for _ in 0..TURN {
            if self.silenced {
                break;
            }
            match fd.read(&mut buffer) {
                Ok(0) => {
                    self.heard.line(&std::mem::take(rest), *stream);
                    return Open::No;
                }
                Ok(length) => {
                    let passed = self.heard.bytes(rest, *stream, &buffer[..length]);
                    passed.iter().for_each(|limit| self.silence(limit));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Open::Yes
    }

    /// Ends everybody of an agent that said more than this: who reads it takes the time of the scenarios.
    fn silence(&mut self, limit: &str) {
        self.end
            .get_or_insert_with(|| format!("was ended: it said more than {limit} of one scenario"));
        self.silenced = true;
        self.heard.forget();
        if self.agent.is_some() {
            kill_children();
        }
    }

    /// Reaps everybody who has ended, the agent and what it left.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = sys::reap(None, WaitPidFlag::WNOHANG) {
            if Some(pid) == self.agent {
                self.end.get_or_insert(match status.signal() {
                    Some(signal) => format!("was ended by {}", sys::signal_name(signal)),
                    None => format!("ended with status {}", sys::shell_status(status)),
                });
                // What it wrote before is there by now.
                self.read();
            }
        }
    }
}

/// Whether an output has more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

/// Kills the children of this process with those of their groups.
fn kill_children() {
    for child in children(Pid::this()) {
        // One that leads no group has none to be killed, and one that has ended is gone.
        let _ = killpg(child, Signal::SIGKILL);
        let _ = kill(child, Signal::SIGKILL);
    }
}

/// The children of a process of one thread; none where the kernel does not tell.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    let place = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(place).unwrap_or_default();
    let children = children.split_whitespace().map(str::parse);
    children.filter_map(Result::ok).map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_too_much_is_ended_and_nothing_of_it_is_a_report() {
        let mut listener = Listener::new(Link::pair().unwrap().0);
        listener.heard.line(b"{}", Stream::Report);
        listener.silence("a lot");
        let words = listener.heard.answer(None, listener.end.as_deref());
        assert_eq!(
            words.end.unwrap(),
            "was ended: it said more than a lot of one scenario"
        );
        assert!(words.lines.is_empty() && listener.silenced);
    }
}
