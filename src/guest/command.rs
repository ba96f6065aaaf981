//! `exetrail boot KERNEL -- COMMAND`: one command in the guest, its output and its status.

use std::io::Read;
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::channel;
use crate::arch;
use crate::wire::{Link, Message, Stream};

/// The third serial port is the terminal of an interactive command.
/// Where busybox's commands are linked.
const APPLETS: &str = "/exetrail/bin";

/// Runs a command to its end and sends its status.
pub fn run(argv: &[String], terminal: bool, link: &Link) -> Result<()> {
    let (program, arguments) = argv.split_first().context("an empty command")?;
    install_busybox();
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    command
        .env("PATH", "/exetrail:/usr/bin:/exetrail/bin")
        .env("HOME", "/root")
        .env("TERM", "linux");
    let started = if terminal {
        interactive(&mut command)
    } else {
        piped(&mut command, link)
    };
    let status = match started {
        Ok(status) => status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        Err(error) => {
            let text = format!("exetrail: failed to run {program}: {error:#}\n");
            let bytes = text.into_bytes();
            link.send(&Message::Output {
                stream: Stream::Stderr,
                bytes,
            })?;
            127
        }
    };
    link.send(&Message::Exited {
        status: u8::try_from(status).unwrap_or(u8::MAX),
    })?;
    Ok(())
}

/// Gives a person what the fixture lacks (ps, mount, uname, ...), away from the watched root.
fn install_busybox() {
    // Without it there are fewer commands, which is no reason to refuse the one that is asked for.
    let _ = std::fs::create_dir(APPLETS).and_then(|()| {
        Command::new("/usr/bin/busybox")
            .args(["--install", "-s", APPLETS])
            .status()
    });
}

fn interactive(command: &mut Command) -> Result<ExitStatus> {
    let terminal = channel::open_terminal(arch::TERMINAL)?;
    let copy = || {
        terminal
            .try_clone()
            .context("failed to duplicate the terminal")
    };
    command.stdin(copy()?).stdout(copy()?).stderr(copy()?);
    crate::sys::own_terminal(command);
    command.status().context("failed to start it")
}

fn piped(command: &mut Command, link: &Link) -> Result<ExitStatus> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let mut out = child.stdout.take().context("no standard output")?;
    let mut err = child.stderr.take().context("no standard error")?;
    let mut open = [true, true];
    while open != [false, false] {
        let wanted = |open: bool| {
            if open {
                PollFlags::POLLIN
            } else {
                PollFlags::empty()
            }
        };
        let mut fds = [
            PollFd::new(out.as_fd(), wanted(open[0])),
            PollFd::new(err.as_fd(), wanted(open[1])),
        ];
        nix::poll::poll(&mut fds, PollTimeout::NONE).context("failed to wait for output")?;
        let [out_ready, err_ready] = fds.map(|fd| fd.any().unwrap_or(true));
        if open[0] && out_ready {
            open[0] = forward(&mut out, Stream::Stdout, link)?;
        }
        if open[1] && err_ready {
            open[1] = forward(&mut err, Stream::Stderr, link)?;
        }
    }
    child.wait().context("failed to wait for it")
}

/// Sends what there is; false at the end.
fn forward(from: &mut impl Read, stream: Stream, link: &Link) -> Result<bool> {
    let mut chunk = [0; 4096];
    let length = from.read(&mut chunk).context("failed to read its output")?;
    if length > 0 {
        link.send(&Message::Output {
            stream,
            bytes: chunk[..length].to_vec(),
        })?;
    }
    Ok(length > 0)
}
