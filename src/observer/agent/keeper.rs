//! The process that starts an agent, reads what it says, and outlives it.
//!
//! It reads at all times; what it keeps has a limit. It is the
//! subreaper of everything that the agent starts: who is below it is the agent's.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::KEEPER;
use crate::sys::{self, ForkResult};
use crate::trail::printable;
use crate::wire::{AgentCommand, Link, LinkError, until};

/// How much an agent may say of one scenario; less than the tenth part of a message that the host takes.
const FLOOD: usize = 768 << 10;
/// In how many lines: each takes its time to be read, which is the scenario's as well.
const LINES: usize = 10_000;
/// How much it may write to standard error meanwhile, and from where on only the end of what comes is looked at: most is
/// never shown.
const NOISE: usize = 4 << 20;
const MUCH: usize = 64 << 10;
const END: usize = 1 << 10;
/// The longest line of it.
const LONGEST: usize = 64 << 10;
/// How many of its last lines are kept for who looks for its fault, and how many bytes of each.
const LAST: usize = 6;
const LAST_LENGTH: usize = 300;
/// How often an output is read before somebody else's turn: as much as a pipe holds.
const TURN: usize = 4;
/// How many lines of its standard error are kept of one scenario.
const ERRORS: usize = 20;
/// Where its programs are looked for, after where it lies itself.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Until when the keeper listens before it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// Not at all.
    Now,
    /// Until there is a line.
    First,
    /// Until lines have told of all these processes.
    Pids(Vec<i32>),
}

/// What the keeper is asked for.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    until: Until,
    millis: u64,
}

/// What was heard since the last time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Words {
    /// The lines of its standard output.
    pub lines: Vec<String>,
    /// The last lines of both outputs, for a person.
    pub last: Vec<String>,
    /// How it ended, in words that follow its name; none while it lives.
    pub end: Option<String>,
    /// Whether what was waited for has come.
    pub came: bool,
    /// How long it has said nothing on its standard output; none where it said nothing in this time.
    pub silent_ms: Option<u64>,
    /// What it wrote to standard error, a line each, the last ones.
    pub errors: Vec<String>,
}

/// A keeper with its agent; both are killed when it is dropped.
#[derive(Debug)]
pub struct Keeper {
    pid: Pid,
    link: Link,
}

impl Keeper {
    /// Starts the keeper, which starts the agent.
    ///
    /// # Errors
    ///
    /// What fork(2) or socketpair(2) says; that the agent cannot be started is heard later.
    pub fn start(brought: &AgentCommand) -> Result<Keeper> {
        let (ours, theirs) = Link::pair().context("failed to make the link of the keeper")?;
        match sys::fork().context("failed to fork the keeper")? {
            ForkResult::Child => {
                drop(ours);
                let _ = nix::sys::prctl::set_name(c"agent-keeper");
                let mut listener = Listener::new(theirs);
                if let Err(error) = listener.begin(brought).and_then(|()| listener.serve()) {
                    listener.end = Some(format!("is not heard any more: {error:#}"));
                    let _ = listener.answer();
                }
                sys::exit_now(0);
            }
            ForkResult::Parent { child } => Ok(Keeper {
                pid: child,
                link: ours,
            }),
        }
    }

    /// Its process, below which everything of the agent's is.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// What the agent has said since the last time, and says until then.
    ///
    /// # Errors
    ///
    /// The keeper does not answer.
    pub fn hear(&mut self, until: Until, limit: Duration) -> Result<Words> {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let sent = self.link.send(&Order { until, millis });
        sent.context("failed to reach the keeper of the agent")?;
        let heard = self.link.receive(Instant::now() + limit + KEEPER);
        heard.context("the keeper of the agent does not answer")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Whatever it started would go on beside the scenarios, and be taken for a part of one.
        for child in children(self.pid) {
            // One that leads no group any more has none to be killed.
            let _ = killpg(child, Signal::SIGKILL);
        }
        // It is our child and not reaped yet; both may only fail when it is gone already.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

/// One output of the agent.
#[derive(Debug)]
struct Output {
    fd: File,
    /// The beginning of a line.
    rest: Vec<u8>,
    /// Whether it is the one that is listened to.
    counts: bool,
}

/// The state of the keeper.
struct Listener {
    link: Link,
    agent: Option<Pid>,
    outputs: Vec<Output>,
    heard: Words,
    /// The last lines of both outputs, as they came.
    last: VecDeque<Vec<u8>>,
    /// Lines of its standard output, empty ones as well, and bytes of both outputs since the last answer.
    lines: usize,
    size: usize,
    noise: usize,
    /// It said too much: nobody of it may live, or is heard.
    silenced: bool,
    end: Option<String>,
    order: Option<(Order, Instant)>,
    /// Processes that lines have told of since the last answer, and how many lines were asked for them.
    told: (BTreeSet<i32>, usize),
    /// When the last line came.
    spoke: Option<Instant>,
}

impl Listener {
    fn new(link: Link) -> Listener {
        Listener {
            link,
            agent: None,
            outputs: Vec::new(),
            heard: Words::default(),
            last: VecDeque::new(),
            lines: 0,
            size: 0,
            noise: 0,
            silenced: false,
            end: None,
            order: None,
            told: Default::default(),
            spoke: None,
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
        for (fd, counts) in [(stdout, true), (stderr, false)] {
            let fd = fd.context("an output is missing")?;
            fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            self.outputs.push(Output {
                fd: File::from(fd),
                rest: Vec::new(),
                counts,
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
            let deadline = self.order.as_ref().map(|(_, deadline)| *deadline);
            let mut fds = vec![
                PollFd::new(self.link.as_fd(), PollFlags::POLLIN),
                PollFd::new(children.as_fd(), PollFlags::POLLIN),
            ];
            let outputs = self.outputs.iter();
            fds.extend(outputs.map(|one| PollFd::new(one.fd.as_fd(), PollFlags::POLLIN)));
            let patience = deadline.map_or(nix::poll::PollTimeout::NONE, until);
            match poll(&mut fds, patience) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("failed to wait for the agent"),
            }
            let ordered = fds[0].any().unwrap_or(true);
            self.read();
            // After what it wrote last was read.
            while let Ok(Some(_)) = children.read_signal() {}
            self.reap();
            if self.silenced {
                // Whoever's parent has ended is our child by now.
                kill_children();
            }
            if ordered {
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
            let over = |(_, deadline): &(Order, Instant)| Instant::now() >= *deadline;
            if self.order.is_some()
                && (self.has_come() || self.end.is_some() || self.order.as_ref().is_some_and(over))
            {
                self.answer()?;
            }
        }
    }

    fn has_come(&mut self) -> bool {
        match self.order.as_ref().map(|(order, _)| &order.until) {
            None => false,
            Some(Until::Now) => true,
            Some(Until::First) => !self.heard.lines.is_empty(),
            Some(Until::Pids(pids)) => {
                // While nobody asks, a line costs the machine no more than that it is read.
                let (told, asked) = &mut self.told;
                let names: Vec<String> = pids.iter().map(ToString::to_string).collect();
                let fresh = self.heard.lines[*asked..].iter();
                // Of a flood of lines few are worth to be parsed.
                let fresh = fresh.filter(|line| names.iter().any(|name| line.contains(name)));
                told.extend(fresh.filter_map(|line| pid(line)));
                *asked = self.heard.lines.len();
                pids.iter().all(|pid| told.contains(pid))
            }
        }
    }

    fn answer(&mut self) -> Result<()> {
        let came = self.has_come();
        self.order = None;
        (self.lines, self.size, self.noise) = (0, 0, 0);
        self.told = Default::default();
        let lines = std::mem::take(&mut self.heard.lines);
        let spoke = self.spoke.take().map(|spoke| spoke.elapsed());
        let heard = Words {
            lines,
            last: self.last.iter().map(|line| printable(line)).collect(),
            end: self.end.clone(),
            came,
            silent_ms: spoke.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            errors: std::mem::take(&mut self.heard.errors),
        };
        self.link.send(&heard).context("failed to answer")
    }

    /// Reads whatever is there.
    fn read(&mut self) {
        for mut output in std::mem::take(&mut self.outputs) {
            let mut buffer = [0; 16 << 10];
            let mut open = true;
            // One that writes without end does not keep us from the others.
            for _ in 0..TURN {
                match output.fd.read(&mut buffer) {
                    _ if self.silenced => break,
                    Ok(0) => {
                        let rest = std::mem::take(&mut output.rest);
                        self.line(&rest, output.counts);
                        open = false;
                        break;
                    }
                    Ok(length) => {
                        self.bytes(&mut output.rest, output.counts, &buffer[..length]);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            if open && !self.silenced {
                self.outputs.push(output);
            }
        }
    }

    /// Takes what an output says after the beginning of a line.
    fn bytes(&mut self, rest: &mut Vec<u8>, counts: bool, bytes: &[u8]) {
        let told = match counts || self.noise < MUCH {
            true => bytes,
            false => {
                rest.clear();
                last_lines(bytes)
            }
        };
        for part in told.split_inclusive(|byte| *byte == b'\n') {
            rest.extend_from_slice(part);
            if rest.ends_with(b"\n") || rest.len() > LONGEST {
                let line = std::mem::take(rest);
                self.line(&line, counts);
            }
        }
        match counts {
            true => self.size += bytes.len(),
            false => self.noise += bytes.len(),
        }
        if self.size > FLOOD {
            self.silence(&format!("{} KiB", FLOOD >> 10));
        } else if self.lines > LINES {
            self.silence(&format!("{LINES} lines"));
        } else if self.noise > NOISE {
            self.silence(&format!("{} MiB to standard error", NOISE >> 20));
        }
    }

    /// Ends everybody of an agent that said more than this: who reads it takes the time of the scenarios.
    fn silence(&mut self, limit: &str) {
        self.end
            .get_or_insert_with(|| format!("was ended: it said more than {limit} of one scenario"));
        self.silenced = true;
        // What it said is no report, and takes its time on the way.
        self.heard.lines.clear();
        self.told.1 = 0;
        if self.agent.is_some() {
            kill_children();
        }
    }

    fn line(&mut self, line: &[u8], counts: bool) {
        self.lines += usize::from(counts);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        // Few of them are ever shown.
        let start = &line[..line.len().min(LAST_LENGTH)];
        if !counts {
            kept(&mut self.heard.errors, printable(start), ERRORS);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(start.to_vec());
        if !counts {
            return;
        }
        self.spoke = Some(Instant::now());
        let text = String::from_utf8_lossy(line);
        self.heard.lines.push(text.into_owned());
    }

    /// Reaps everybody who has ended, the agent and what it left.
    fn reap(&mut self) {
        loop {
            let Ok(Some((pid, status))) = sys::reap(None, WaitPidFlag::WNOHANG) else {
                return;
            };
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

/// The whole lines at the end of much; nothing of one that is longer.
fn last_lines(bytes: &[u8]) -> &[u8] {
    let end = &bytes[bytes.len().saturating_sub(END)..];
    let mut parts = end.splitn(2, |byte| *byte == b'\n').skip(1);
    parts.next().unwrap_or_default()
}

/// Kills the children of this process with those of their groups.
fn kill_children() {
    for child in children(Pid::this()) {
        // One that leads no group has none to be killed, and one that has ended is gone.
        let _ = killpg(child, Signal::SIGKILL);
        let _ = kill(child, Signal::SIGKILL);
    }
}

fn children(pid: Pid) -> Vec<Pid> {
    let place = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(place).unwrap_or_default();
    let children = children.split_whitespace().map(str::parse);
    children.filter_map(Result::ok).map(Pid::from_raw).collect()
}

/// Adds a line to those that are kept: so many, the last ones.
fn kept(lines: &mut Vec<String>, line: String, most: usize) {
    lines.push(line);
    if lines.len() > most {
        lines.remove(0);
    }
}

/// The process that a line tells of.
fn pid(line: &str) -> Option<i32> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    i32::try_from(value.get("pid")?.as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> Listener {
        Listener::new(Link::pair().unwrap().0)
    }

    #[test]
    fn a_line_tells_of_its_process_and_an_empty_one_of_nothing() {
        let mut listener = listener();
        listener.line(b"{\"pid\":7}\n", true);
        listener.line(b"\n", true);
        assert_eq!(listener.heard.lines, ["{\"pid\":7}"]);
        assert_eq!(pid(&listener.heard.lines[0]), Some(7));
    }

    #[test]
    fn what_is_said_elsewhere_is_kept_for_a_person_alone() {
        let mut listener = listener();
        listener.line(b"trouble", false);
        assert!(listener.heard.lines.is_empty());
        assert_eq!(listener.last, [b"trouble"]);
        assert_eq!(listener.heard.errors, ["trouble"]);
    }

    #[test]
    fn of_what_is_said_elsewhere_the_last_lines_are_kept() {
        let mut listener = listener();
        for number in 0..=ERRORS {
            listener.line(number.to_string().as_bytes(), false);
        }
        assert_eq!(listener.heard.errors.len(), ERRORS);
        assert_eq!(listener.heard.errors[0], "1");
    }

    #[test]
    fn an_agent_that_floods_is_ended_and_its_last_lines_are_kept() {
        let mut listener = listener();
        let mut line = vec![b'x'; 1000];
        line.push(b'\n');
        for _ in 0..=FLOOD / 1000 {
            listener.bytes(&mut Vec::new(), true, &line);
        }
        assert!(listener.end.unwrap().contains("768 KiB"));
        assert!(listener.heard.lines.is_empty());
        assert_eq!(listener.last.len(), LAST);
    }

    #[test]
    fn whatever_an_agent_floods_with_ends_it() {
        for (counts, bytes, limit) in [
            (true, "\n", "10000 lines"),
            (true, "{}\n", "10000 lines"),
            (false, "trouble\n", "4 MiB to standard error"),
        ] {
            let mut listener = listener();
            let bytes = bytes.repeat((16 << 10) / bytes.len());
            for _ in 0..=NOISE / bytes.len() {
                listener.bytes(&mut Vec::new(), counts, bytes.as_bytes());
            }
            let end = listener.end.unwrap_or_default();
            assert!(end.contains(limit) && listener.silenced, "{end}");
            assert!(counts || listener.heard.errors.last().unwrap() == "trouble");
        }
    }

    #[test]
    fn processes_are_waited_for_one_and_all() {
        let mut listener = listener();
        let order = Order {
            until: Until::Pids(vec![7, 8]),
            millis: 0,
        };
        listener.order = Some((order, Instant::now()));
        listener.line(b"{\"pid\":7}", true);
        assert!(!listener.has_come());
        listener.line(b"{\"pid\":8}", true);
        assert!(listener.has_come());
    }
}
