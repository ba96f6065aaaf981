//! `exetrail boot KERNEL -- COMMAND`: one command in the guest, its input, output, files and status.
//!
//! Where the guest is to have a PID 1 of its own (`--init`), a child of ours goes on with the command.

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::WaitPidFlag;
use nix::unistd::{Pid, execve};

use super::clearing::end_everybody;
use super::{channel, pack};
use crate::arch;
use crate::sys::{self, ForkResult};
use crate::wire::{Chunk, Input, Link, Message, Stream};

/// Where busybox's commands are linked.
const APPLETS: &str = "/exetrail/bin";
/// What is mounted for a command beside what every guest has.
const MOUNTS: [(&str, &str, &str); 8] = [
    ("devpts", "/dev/pts", "mode=0620,ptmxmode=0666"),
    ("tmpfs", "/dev/shm", "mode=1777"),
    ("mqueue", "/dev/mqueue", ""),
    ("binfmt_misc", "/proc/sys/fs/binfmt_misc", ""),
    ("securityfs", "/sys/kernel/security", ""),
    ("debugfs", "/sys/kernel/debug", ""),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("bpf", "/sys/fs/bpf", "mode=0700"),
];

/// What a command is.
#[derive(Debug)]
pub struct Task<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Where its input comes from.
    pub input: Input,
    /// What is sent back when it has ended.
    pub fetch: &'a [String],
    /// What becomes PID 1 beside it; none where that is us.
    pub init: Option<&'a str>,
}

/// Runs a command to its end, ends what it left, and sends its files and its status.
pub fn run(task: &Task<'_>, children: &SignalFd, link: &Link) -> Result<()> {
    let (program, arguments) = task.argv.split_first().context("an empty command")?;
    furnish();
    if let Some(init) = task.init {
        make_way(init).with_context(|| format!("failed to have {init} as PID 1"))?;
    }
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    command
        .env(
            "PATH",
            "/exetrail:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/exetrail/bin",
        )
        .env("HOME", "/root")
        .env("TERM", "linux");
    // PID 1 blocks SIGCHLD: a shell that inherits that may wait for ever.
    sys::with_clean_signals(&mut command);
    let started = match task.input {
        Input::Terminal { rows, columns } => on_terminal(&mut command, rows, columns),
        Input::Host | Input::None => on_pipes(&mut command, task.input),
    };
    let (status, outputs) = match started.and_then(|pipes| follow(pipes, children, link)) {
        Ok(ended) => ended,
        Err(error) => {
            let text = format!("exetrail: failed to run {program}: {error:#}\n");
            say(link, Stream::Stderr, text.into_bytes())?;
            let missing = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
            let missing = error.downcast_ref().is_some_and(missing);
            // As a shell has it: not found, or found and not executed.
            (if missing { 127 } else { 126 }, Vec::new())
        }
    };
    // Before what it wrote is taken out: who lives on and writes would never let that end.
    let left = end_everybody(children, None);
    for (stream, fd) in &outputs {
        empty(fd, *stream, link)?;
    }
    if let Err(error) = left {
        let text = format!("exetrail: {error:#}\n");
        say(link, Stream::Stderr, text.into_bytes())?;
    }
    for path in task.fetch {
        pack::send(Path::new(path), link)?;
    }
    link.send(&Message::Exited { status })?;
    Ok(())
}

/// Becomes another PID 1; who returns is a child of it, which goes on as we did.
///
/// The system that it brings up does not know of us: what it mounts and starts goes on beside the command.
fn make_way(init: &str) -> Result<()> {
    let program = CString::new(init).context("a NUL in its name")?;
    // It is closed by an exec that comes about, and has a number of errno(3) when none does.
    let (mut failed, mut says) = std::io::pipe().context("failed to make a pipe")?;
    match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            drop(says);
            let mut errno = [0; 4];
            match failed.read_exact(&mut errno) {
                Ok(()) => Err(Errno::from_raw(i32::from_ne_bytes(errno)).into()),
                Err(_) => Ok(()),
            }
        }
        ForkResult::Parent { .. } => {
            let environment =
                [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
            let end = sys::reset_signals().and_then(|()| {
                let never = execve(&program, &[&program], &environment);
                never.map(|never| match never {})
            });
            let errno = end.err().unwrap_or(Errno::UnknownErrno);
            let _ = says.write_all(&(errno as i32).to_ne_bytes());
            // The machine ends with what the child says; PID 1 must not end before.
            loop {
                nix::unistd::pause();
            }
        }
    }
}

/// Makes what programs of a usual system count on; what a kernel or a root lacks is no reason to
/// refuse the command.
fn furnish() {
    for (kind, place, options) in MOUNTS {
        let flags = MsFlags::empty();
        if fs::create_dir_all(place).is_ok() || Path::new(place).is_dir() {
            let _ = mount(Some(kind), place, Some(kind), flags, Some(options));
        }
    }
    let _ = std::os::unix::fs::symlink("pts/ptmx", "/dev/ptmx");
    if !Path::new("/bin/sh").exists() {
        let _ = std::os::unix::fs::symlink("bash", "/bin/sh");
    }
    // ps, mount, uname and the like, away from the watched root.
    let _ = fs::create_dir(APPLETS).and_then(|()| {
        Command::new("/usr/bin/busybox")
            .args(["--install", "-s", APPLETS])
            .status()
    });
}

/// Where a command writes to.
type Outputs = Vec<(Stream, OwnedFd)>;

/// The command while it runs.
struct Running {
    pid: Pid,
    outputs: Outputs,
    input: Option<Feed>,
}

/// What is fed to the command's standard input, from the third serial port.
struct Feed {
    to: ChildStdin,
    from: File,
    /// What the host has sent and the command has not taken.
    rest: VecDeque<u8>,
    /// The host was asked for more and has not answered.
    asked: bool,
}

fn on_terminal(command: &mut Command, rows: u16, columns: u16) -> Result<Running> {
    let terminal = channel::open_terminal(arch::TERMINAL)?;
    sys::set_terminal_size(&terminal, rows, columns)
        .context("failed to set the terminal's size")?;
    let copy = || {
        terminal
            .try_clone()
            .context("failed to duplicate the terminal")
    };
    command.stdin(copy()?).stdout(copy()?).stderr(copy()?);
    sys::own_terminal(command);
    let child = command.spawn()?;
    Ok(Running {
        pid: pid(child.id()),
        outputs: Vec::new(),
        input: None,
    })
}

fn on_pipes(command: &mut Command, input: Input) -> Result<Running> {
    let stdin = match input {
        Input::Host => Stdio::piped(),
        _ => Stdio::null(),
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let out = child.stdout.take().context("no standard output")?;
    let err = child.stderr.take().context("no standard error")?;
    let input = child.stdin.take().map(Feed::new).transpose()?;
    Ok(Running {
        pid: pid(child.id()),
        outputs: vec![(Stream::Stdout, out.into()), (Stream::Stderr, err.into())],
        input,
    })
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed())
}

/// Carries input and output until the command has ended, and reaps everybody who ends meanwhile; its status,
/// and where something of it may still be.
fn follow(mut running: Running, children: &SignalFd, link: &Link) -> Result<(u8, Outputs)> {
    loop {
        if let Some(feed) = &mut running.input {
            feed.ask(link)?;
        }
        let mut fds = vec![PollFd::new(children.as_fd(), PollFlags::POLLIN)];
        let outputs = running.outputs.iter();
        fds.extend(outputs.map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        if let Some(feed) = &running.input {
            let (fd, flags) = feed.waits_for();
            fds.push(PollFd::new(fd, flags));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for the command"),
        }
        let ready: Vec<_> = fds.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        let mut still = Vec::new();
        for ((stream, fd), ready) in running.outputs.drain(..).zip(&ready[1..]) {
            if !ready || forward(&fd, stream, link)? > 0 {
                still.push((stream, fd));
            }
        }
        running.outputs = still;
        if running.input.is_some() && ready.last() == Some(&true) {
            running.input = running.input.take().and_then(Feed::go_on);
        }
        if ready[0] {
            while let Ok(Some(_)) = children.read_signal() {}
            if let Some(status) = reap(running.pid)? {
                return Ok((status, running.outputs));
            }
        }
    }
}

/// Reaps everybody who has ended; the status of the command when it is among them.
fn reap(command: Pid) -> Result<Option<u8>> {
    let mut own = None;
    loop {
        match sys::reap(None, WaitPidFlag::WNOHANG) {
            Ok(Some((pid, status))) if pid == command => own = Some(sys::shell_status(status)),
            Ok(None) | Err(Errno::ECHILD) => return Ok(own),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to reap"),
        }
    }
}

impl Feed {
    fn new(to: ChildStdin) -> Result<Feed> {
        fcntl(&to, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("failed to prepare its input")?;
        Ok(Feed {
            to,
            from: channel::open_port(arch::TERMINAL)?.into(),
            rest: VecDeque::new(),
            asked: false,
        })
    }

    /// Asks the host for more when the command has taken everything: nothing else tells it that the
    /// reader is slow.
    fn ask(&mut self, link: &Link) -> Result<()> {
        if self.rest.is_empty() && !self.asked {
            link.send(&Message::More)?;
            self.asked = true;
        }
        Ok(())
    }

    fn waits_for(&self) -> (BorrowedFd<'_>, PollFlags) {
        match self.rest.is_empty() {
            true => (self.from.as_fd(), PollFlags::POLLIN),
            false => (self.to.as_fd(), PollFlags::POLLOUT),
        }
    }

    /// Takes a chunk of the host or hands one on; none at the end of the input, or when nobody reads.
    fn go_on(mut self) -> Option<Feed> {
        if self.rest.is_empty() {
            let chunk = Chunk::read(&mut self.from).ok()?;
            self.asked = false;
            self.rest.extend(chunk.0);
            return (!self.rest.is_empty()).then_some(self);
        }
        match self.to.write(self.rest.make_contiguous()) {
            Ok(written) => drop(self.rest.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        Some(self)
    }
}

/// Sends what is in a pipe, no more than it holds: somebody who cannot be killed may write on.
fn empty(from: &OwnedFd, stream: Stream, link: &Link) -> Result<()> {
    fcntl(from, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("failed to prepare a pipe")?;
    let size = fcntl(from, FcntlArg::F_GETPIPE_SZ).context("failed to ask for a pipe's size")?;
    let mut room = usize::try_from(size).unwrap_or(0);
    while room > 0 {
        match forward(from, stream, link)? {
            0 => break,
            length => room = room.saturating_sub(length),
        }
    }
    Ok(())
}

/// Sends what there is, and says how much; 0 at the end, or when there is nothing just now.
fn forward(from: &OwnedFd, stream: Stream, link: &Link) -> Result<usize> {
    let mut chunk = [0; 8192];
    loop {
        match nix::unistd::read(from, &mut chunk) {
            Ok(0) | Err(Errno::EAGAIN) => return Ok(0),
            Ok(length) => return say(link, stream, chunk[..length].to_vec()).map(|()| length),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to read the command's output"),
        }
    }
}

fn say(link: &Link, stream: Stream, bytes: Vec<u8>) -> Result<()> {
    Ok(link.send(&Message::Output { stream, bytes })?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_pipe_is_emptied_although_somebody_writes_on() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let size = usize::try_from(fcntl(&reader, FcntlArg::F_GETPIPE_SZ).unwrap()).unwrap();
        let writes = std::thread::spawn(move || while writer.write_all(&[0; 8192]).is_ok() {});
        let (mut ours, theirs) = Link::pair().unwrap();
        let hears = std::thread::spawn(move || {
            let mut heard = 0;
            let deadline = Instant::now() + Duration::from_secs(60);
            while let Ok(Message::Output { bytes, .. }) = ours.receive(deadline) {
                heard += bytes.len();
            }
            heard
        });
        let reader = OwnedFd::from(reader);
        empty(&reader, Stream::Stdout, &theirs).unwrap();
        drop((reader, theirs));
        writes.join().unwrap();
        assert!(hears.join().unwrap() < size + 8192);
    }
}
