//! `exetrail boot`: a shell, or one command, in a kernel, with files in and out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, IsTerminal as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::fetched::{self, Fetched};
use super::targets;
use crate::fetch::fetch_packages;
use crate::project::Project;
use crate::root::{Added, Root};
use crate::suite::{Bench, ReadyKernel, Stop, Suite, Wanted};
use crate::vm::image::Load;
use crate::vm::machine::check_parameters;
use crate::wire::{Input, Job, Message, Stream};

const STATUS: &str = "\
Exit status: the command's; 128 and the number of the signal that ended it; 124 its time was over;
126 it cannot be executed; 127 there is no such command; 141 nobody reads what it writes any more;
2 the guest failed. docs/lab.md has recipes.";

/// Exit status of a command whose time was over, as of timeout(1).
const OVER: u8 = 124;

/// Exit status where nobody reads what it writes any more, as of a command that SIGPIPE ends.
const UNREAD: u8 = 128 + 13;

/// Exit status where there is no such command.
const NOT_FOUND: u8 = 127;

/// The longest time that a command may have, in seconds.
const YEAR: u64 = 366 * 24 * 3600;

/// Arguments of `exetrail boot`.
#[derive(Debug, clap::Args)]
#[command(after_help = STATUS)]
pub struct Args {
    /// An id such as 6.12, or the path of a bzImage, vmlinux, build tree or Debian package
    kernel: String,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Put a file or directory into the guest; without a place of its own it is where it is here
    #[arg(long, value_name = "HOST[:GUEST]")]
    add: Vec<Added>,
    /// Put Debian packages, with what they depend on, into the guest: their files, nothing is configured
    #[arg(long, value_name = "PACKAGE", value_delimiter = ',')]
    packages: Vec<String>,
    /// Have this program of the guest be PID 1 beside the command, such as /usr/lib/systemd/systemd
    #[arg(long, value_name = "PROGRAM", value_parser = absolute)]
    init: Option<String>,
    /// Bring a file or directory back when the command has ended; into the working directory unless
    /// another place is given
    #[arg(long, value_name = "GUEST[:HOST]")]
    fetch: Vec<Fetched>,
    /// Parameters for the kernel, beside our own (kernel-parameters.txt)
    #[arg(
        long,
        value_name = "PARAMETERS",
        default_value = "",
        hide_default_value = true
    )]
    append: String,
    /// Memory of the guest in MiB [default: by the size of its files]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(128..=65536), allow_negative_numbers = true)]
    memory: Option<u64>,
    /// Virtual CPUs of the guest
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8), allow_negative_numbers = true)]
    cpus: u32,
    /// End the guest after so many seconds, with exit status 124
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=YEAR), allow_negative_numbers = true)]
    timeout: Option<u64>,
    /// Command to run; a shell when there is none and this is a terminal
    #[arg(last = true)]
    command: Vec<String>,
}

fn absolute(word: &str) -> Result<String, String> {
    match word.starts_with('/') {
        true => Ok(word.to_owned()),
        false => Err("it is no absolute path".to_owned()),
    }
}

/// Boots, runs the command and passes its exit status on.
pub fn main(args: &Args) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let project = Project::open()?;
    Wanted::check_modules(&project, [args.kernel.as_str()], args.modules.as_deref())?;
    let target = targets::booted(&project, &args.kernel, args.modules.as_deref())?;
    check_parameters(&args.append)?;
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if args.command.is_empty() && !on_terminal {
        bail!("a shell takes a terminal: give a command after --");
    }
    for fetched in &args.fetch {
        fetched.check()?;
    }
    check_apart(&args.fetch)?;
    let program = std::env::current_exe().context("failed to find this program")?;
    let suite = Suite::prepare(&project, &program, &target, &stop)?;
    let input = match (on_terminal, std::io::stdin().is_terminal()) {
        (true, _) => {
            let (rows, columns) = console::Term::stdout().size();
            Input::Terminal { rows, columns }
        }
        // Whoever sits there talks to this command, whose output goes elsewhere.
        (false, true) => Input::None,
        (false, false) => Input::Host,
    };
    let argv = match args.command.is_empty() {
        true => vec!["/usr/bin/bash".to_owned(), "-i".to_owned()],
        false => args.command.clone(),
    };
    let bench = Bench {
        job: Job::Command {
            argv,
            input,
            fetch: args.fetch.iter().map(|one| one.guest.clone()).collect(),
            init: args.init.clone(),
        },
        load: load(args, &project, &suite)?,
        cpus: args.cpus,
        parameters: args.append.clone(),
        memory: args.memory,
        limit: args.timeout.map(Duration::from_secs),
    };
    run(args, &suite, &target, &bench, &stop)
}

/// Refuses, before anything is booted, what can be brought back once only.
///
/// # Errors
///
/// A path of the guest is named twice, or two go to one place.
fn check_apart(all: &[Fetched]) -> Result<()> {
    let mut places = BTreeMap::new();
    let mut guests = BTreeSet::new();
    for one in all {
        if !guests.insert(&one.guest) {
            bail!("--fetch {} is given twice", one.guest);
        }
        let directory = fetched::parent(&one.host).canonicalize();
        let directory = directory.with_context(|| one.host.display().to_string())?;
        let place = (directory, one.host.file_name());
        if let Some(other) = places.insert(place, &one.guest) {
            bail!(
                "--fetch: {other} and {} both go to {}",
                one.guest,
                one.host.display()
            );
        }
    }
    Ok(())
}

/// Writes a piece of the command's output at once: a line that is not at its end yet is one that somebody waits for.
fn pass_on(bytes: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// The guest's root: the fixture as it is, or with the user's files.
fn load(args: &Args, project: &Project, suite: &Suite) -> Result<Load> {
    if args.add.is_empty() && args.packages.is_empty() {
        return Ok(suite.whole());
    }
    let mut root = Root::of_fixture(suite.fixture())?;
    if !args.packages.is_empty() {
        let suites = &project.fixture.suites;
        root.packages(&fetch_packages(&project.cache, suites, &args.packages)?)?;
    }
    for added in &args.add {
        root.add(added)?;
    }
    let built = root.build(&project.cache)?;
    built.warn();
    Ok(Load::own(built.archive))
}

/// What a command says while it runs, and what it brings back.
#[derive(Default)]
struct Heard {
    /// Why our terminal could not be handed on.
    unset: Option<anyhow::Error>,
    /// Why its output could not be written.
    failed: Option<std::io::Error>,
    archives: BTreeMap<String, Vec<u8>>,
    /// What is in the archives to its end.
    whole: BTreeSet<String>,
    /// Why something does not come.
    problems: Vec<String>,
}

impl Heard {
    /// Takes a message; the guest ends where nobody hears the rest.
    fn take(&mut self, message: Message, keys: Option<&Keys>) -> ControlFlow<()> {
        match message {
            // Until then the keys are ours, and Ctrl-C ends the boot.
            Message::Hello { .. } => self.unset = keys.and_then(|keys| keys.hand_on().err()),
            Message::Output { stream, bytes } => match stream {
                Stream::Stdout => {
                    let written = pass_on(&bytes, &mut std::io::stdout());
                    self.failed = self.failed.take().or(written.err());
                }
                Stream::Stderr => drop(std::io::stderr().write_all(&bytes)),
            },
            Message::Piece { place, bytes } => {
                self.archives.entry(place).or_default().extend(bytes);
            }
            Message::Fetched { place, result } => match result {
                Ok(()) => drop(self.whole.insert(place)),
                Err(reason) => self.problems.push(format!("{place}: {reason}")),
            },
            _ => {}
        }
        match self.failed {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    /// Puts what came whole in its place, all of it that can be.
    ///
    /// # Errors
    ///
    /// What does not come, or cannot be put there.
    fn unpack(&mut self, wanted: &[Fetched]) -> Result<()> {
        for wanted in wanted {
            // What was on its way when the time was over is none.
            let archive = self.archives.get(&wanted.guest);
            let archive = archive.filter(|_| self.whole.contains(&wanted.guest));
            if let Some(Err(error)) = archive.map(|archive| fetched::unpack(archive, wanted)) {
                self.problems.push(format!("{error:#}"));
            }
        }
        match self.problems.is_empty() {
            true => Ok(()),
            false => bail!("failed to fetch {}", self.problems.join("; ")),
        }
    }
}

fn run(
    args: &Args,
    suite: &Suite,
    target: &ReadyKernel,
    bench: &Bench,
    stop: &Stop,
) -> Result<ExitCode> {
    let raw = matches!(
        &bench.job,
        Job::Command {
            input: Input::Terminal { .. },
            ..
        }
    );
    let keys = raw.then(Keys::remember).transpose()?;
    if keys.is_some() {
        tell!("{}: booting", target.id);
    }
    let mut heard = Heard::default();
    let status = suite.command(target, bench, stop, &mut |message| {
        heard.take(message, keys.as_ref())
    });
    drop(keys);
    let status = status?;
    if let Some(error) = heard.unset.take() {
        return Err(error);
    }
    heard.unpack(&args.fetch)?;
    if let Some(error) = heard.failed {
        if error.kind() == ErrorKind::BrokenPipe {
            return Ok(ExitCode::from(status.unwrap_or(UNREAD)));
        }
        return Err(error).context("failed to write the command's output");
    }
    Ok(ended(args, status))
}

/// The exit status of a command that ended with this one, or for which there was no time.
fn ended(args: &Args, status: Option<u8>) -> ExitCode {
    if let (Some(NOT_FOUND), Some(word)) = (status, args.command.first())
        && word.contains('/')
        && !word.starts_with('/')
        && Path::new(word).is_file()
    {
        tell!(
            "exetrail: {word} is here, and not in the guest: with --add {word}:/PLACE it is /PLACE there"
        );
    }
    ExitCode::from(status.unwrap_or_else(|| {
        let limit = args.timeout.unwrap_or_default();
        tell!("exetrail: the command, and what it was to bring back, did not end within {limit} s");
        OVER
    }))
}

/// Our terminal as it was, to be restored when dropped: QEMU changes it at its start, and we when the guest gets the keys.
struct Keys(Termios);

impl Keys {
    fn remember() -> Result<Keys> {
        let old = tcgetattr(std::io::stdin()).context("failed to read the terminal's modes")?;
        Ok(Keys(old))
    }

    /// Sets the terminal to raw mode: all keys reach the guest.
    fn hand_on(&self) -> Result<()> {
        let mut raw = self.0.clone();
        cfmakeraw(&mut raw);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &raw)
            .context("failed to set the terminal to raw mode")
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_at_its_end_is_written_at_once() {
        let mut out = std::io::LineWriter::new(Vec::new());
        pass_on(b"no newline", &mut out).unwrap();
        assert_eq!(out.get_ref(), b"no newline");
        let mut full = std::io::LineWriter::new(std::fs::File::create("/dev/full").unwrap());
        assert!(pass_on(b"no newline", &mut full).is_err());
    }

    #[test]
    fn what_cannot_be_unpacked_keeps_nothing_else_from_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = ["/a", "/b"].map(|guest| Fetched {
            guest: guest.to_owned(),
            host: dir.path().join(&guest[1..]),
        });
        let mut archive = Vec::new();
        let builder = cpio::newc::Builder::new("b").mode(0o100_644).nlink(1);
        builder.write(&mut archive, 0).finish().unwrap();
        cpio::newc::trailer(&mut archive).unwrap();
        let mut heard = Heard::default();
        for (place, bytes) in [("/a", b"?".to_vec()), ("/b", archive)] {
            let place = place.to_owned();
            let piece = Message::Piece {
                place: place.clone(),
                bytes,
            };
            let _ = heard.take(piece, None);
            let result = Ok(());
            let _ = heard.take(Message::Fetched { place, result }, None);
        }
        let error = heard.unpack(&wanted).unwrap_err().to_string();
        assert!(error.starts_with("failed to fetch /a to "), "{error}");
        assert!(!error.contains("; "), "{error}");
        assert!(dir.path().join("b").is_file() && !dir.path().join("a").exists());
    }

    #[test]
    fn what_can_be_brought_back_once_only_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().display();
        let of = |words: &[String]| {
            let all: Vec<Fetched> = words.iter().map(|word| word.parse().unwrap()).collect();
            check_apart(&all).map_err(|error| error.to_string())
        };
        let twice = of(&[format!("/a:{place}/b"), format!("/a:{place}/c")]);
        assert_eq!(twice.unwrap_err(), "--fetch /a is given twice");
        let one = of(&[format!("/a/x:{place}"), format!("/b/x:{place}/./x")]);
        assert!(one.unwrap_err().contains("/a/x and /b/x both go to"));
        assert!(of(&[format!("/a:{place}"), format!("/b:{place}")]).is_ok());
    }
}
