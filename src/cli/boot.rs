//! `exetrail boot`: a shell, or one command, in a kernel.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::project::Project;
use crate::suite::{Stop, Suite, Wanted};
use crate::vm::machine::Terminal;
use crate::wire::{Job, Message, Stream};

/// Arguments of `exetrail boot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id such as 6.12, or the path of a bzImage, vmlinux, build tree or Debian package
    kernel: String,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Command to run; a shell when there is none and this is a terminal
    #[arg(last = true)]
    command: Vec<String>,
}

/// Boots, runs the command and passes its exit status on.
pub fn main(args: &Args) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let project = Project::open()?;
    let Wanted::Ready(target) = Wanted::find(&project, &args.kernel, args.modules.as_deref())?
    else {
        bail!(
            "kernel {} is not fetched: vm/setup {} fetches it",
            args.kernel,
            args.kernel
        );
    };
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if args.command.is_empty() && !on_terminal {
        bail!("a shell takes a terminal: give a command after --");
    }
    let program = std::env::current_exe().context("failed to find this program")?;
    let suite = Suite::prepare(&project, &program, &target, &stop)?;
    // A command without a terminal has its output and its errors kept apart.
    let terminal = if on_terminal {
        Terminal::Ours
    } else {
        Terminal::None
    };
    let argv = match args.command.is_empty() {
        true => vec!["/usr/bin/bash".to_owned(), "-i".to_owned()],
        false => args.command.clone(),
    };
    let _raw = on_terminal.then(Raw::set).transpose()?;
    let job = Job::Command {
        argv,
        terminal: on_terminal,
    };
    let mut failed = None;
    let status = suite.command(&target, job, terminal, &stop, &mut |message| {
        if let Message::Output { stream, bytes } = message {
            let written = match stream {
                Stream::Stdout => std::io::stdout().write_all(bytes),
                Stream::Stderr => std::io::stderr().write_all(bytes),
            };
            failed = failed.take().or(written.err());
        }
    })?;
    match failed {
        Some(error) => Err(error).context("failed to write the command's output"),
        None => Ok(ExitCode::from(status)),
    }
}

/// Our terminal in raw mode, so that keys reach the guest; restored when dropped.
struct Raw(Termios);

impl Raw {
    fn set() -> Result<Raw> {
        let stdin = std::io::stdin();
        let old = tcgetattr(&stdin).context("failed to read the terminal's modes")?;
        let mut raw = old.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw)
            .context("failed to set the terminal to raw mode")?;
        Ok(Raw(old))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}
