//! Ways that look a process up when they can: how often they come in time is chance, and is counted here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{PipeReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use exetrail::sys::{self, ForkResult};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, send};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::inside::SHORT;

/// What they are called.
pub const NAMES: [&str; 3] = ["racing-poll", "racing-ps", "racing-connector"];

/// What the table calls it; none for a way that is no racer.
pub fn sign(way: &str) -> Option<&'static str> {
    match way {
        "racing-poll" => Some("/proc, polled"),
        "racing-ps" => Some("ps, again and again"),
        "racing-connector" => Some("process connector, then /proc"),
        _ => None,
    }
}

/// A process that looks, until it is dropped.
pub struct Racer {
    pid: Pid,
    found: PipeReader,
}

impl Racer {
    pub fn start(way: &str) -> Result<Racer> {
        let look = match way {
            "racing-poll" => poll,
            "racing-ps" => ps,
            "racing-connector" => connector,
            other => bail!("there is no way of watching {other}"),
        };
        let (found, mut finds) = std::io::pipe().context("failed to make a pipe")?;
        let (mut ready, mut is_ready) = std::io::pipe().context("failed to make a pipe")?;
        match sys::fork().context("failed to fork")? {
            ForkResult::Child => {
                let mut tell = |pid: i32| finds.write_all(&pid.to_ne_bytes());
                let _ = look(&mut tell, &mut || is_ready.write_all(b"."));
                sys::exit_now(1)
            }
            ForkResult::Parent { child } => {
                drop((finds, is_ready));
                ready
                    .read_exact(&mut [0])
                    .context("who looks is not ready")?;
                Ok(Racer { pid: child, found })
            }
        }
    }

    /// How many of these processes it has found while they ran the program.
    pub fn caught(mut self, started: &[i32]) -> Result<usize> {
        self.end();
        let mut found = Vec::new();
        self.found
            .read_to_end(&mut found)
            .context("failed to hear who looked")?;
        let found = found.chunks_exact(4);
        let found: BTreeSet<i32> = found
            .filter_map(|bytes| Some(i32::from_ne_bytes(bytes.try_into().ok()?)))
            .collect();
        Ok(started.iter().filter(|pid| found.contains(pid)).count())
    }

    fn end(&mut self) {
        // One that has ended already is as well.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        self.end();
    }
}

type Tell<'a> = &'a mut dyn FnMut(i32) -> std::io::Result<()>;
type Ready<'a> = &'a mut dyn FnMut() -> std::io::Result<()>;

fn is_short(pid: i32) -> bool {
    let exe = fs::read_link(format!("/proc/{pid}/exe"));
    exe.is_ok_and(|exe| exe == Path::new(SHORT))
}

fn poll(tell: Tell<'_>, ready: Ready<'_>) -> Result<()> {
    ready()?;
    loop {
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid.filter(|pid| is_short(*pid)) {
                tell(pid)?;
            }
        }
    }
}

fn ps(tell: Tell<'_>, ready: Ready<'_>) -> Result<()> {
    ready()?;
    loop {
        let output = Command::new("/usr/bin/busybox")
            .args(["ps", "-o", "pid,args"])
            .output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut words = line.split_ascii_whitespace();
            let pid = words.next().and_then(|pid| pid.parse().ok());
            if let (Some(pid), Some(SHORT)) = (pid, words.next()) {
                tell(pid)?;
            }
        }
    }
}

/// `NETLINK_CONNECTOR`, and the group of the process events, whose number is the same
/// (`CN_IDX_PROC` of include/uapi/linux/connector.h).
const CONNECTOR: i32 = 11;
const PROC: u32 = 1;
/// The event of an exec (include/uapi/linux/cn_proc.h).
const EXEC: u32 = 2;
/// `struct nlmsghdr` and `struct cn_msg` come before an event, whose process is its sixth number.
const BEFORE: usize = 16 + 20;

fn connector(tell: Tell<'_>, ready: Ready<'_>) -> Result<()> {
    let socket = sys::netlink(CONNECTOR)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, PROC))?;
    let mut listen = Vec::new();
    // NLMSG_DONE; the index and value of process events; PROC_CN_MCAST_LISTEN in four bytes.
    for number in [40, 3, 0, 0, PROC, PROC, 0, 0, 4, 1] {
        listen.extend(u32::to_ne_bytes(number));
    }
    send(socket.as_raw_fd(), &listen, MsgFlags::empty())?;
    ready()?;
    let mut message = [0; 4096];
    loop {
        let length = recv(socket.as_raw_fd(), &mut message, MsgFlags::empty())?;
        let number = |place: usize| {
            let at = BEFORE + 4 * place;
            let bytes = message[..length].get(at..at + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        if let (Some(EXEC), Some(pid)) = (number(0), number(5))
            && is_short(pid.cast_signed())
        {
            tell(pid.cast_signed())?;
        }
    }
}
