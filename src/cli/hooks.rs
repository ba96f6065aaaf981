//! `exetrail hooks`: whether a list of hooks works on which kernels.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::de::DeserializeOwned;

use super::output::written;
use super::{live, targets};
use crate::baseline::Lineage;
use crate::hooks::{Hook, Offer, Passed, Side, Step, exec, is_recorded, look, page, passed, show};
use crate::project::Project;
use crate::scenario::select;
use crate::stages::Inside;
use crate::suite::{Bench, ReadyKernel, Stop, Suite};
use crate::trail::{self, KernelId};
use crate::view::{STAGES, stages};
use crate::vm::image::Load;
use crate::wire::{Input, Job, Message, Stream};

/// The scenarios whose stages say when a symbol is passed by the first exec, and what that is of.
const USUAL: [(&str, &str); 2] = [("a program", "start/normal"), ("a script", "start/shebang")];
/// The scenarios whose exec fails, on some kernel at least.
const FAILING: &str = "start/fail_*";
/// Passed by an exec that succeeds, and by no other (`exec_binprm`, fs/exec.c).
const SUCCEEDED: &str = "sched:sched_process_exec";

/// How long a kernel may take to answer.
const LIMIT: Duration = Duration::from_secs(120);
/// The longest answer, in bytes: no record is longer.
const LONGEST: usize = 16 << 20;

/// Arguments of `exetrail hooks`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 all can be hooked on all kernels, 1 one is missing on one, 2 a kernel could not be asked."
)]
pub struct Args {
    /// Functions, tracepoints (sched:sched_process_exec), or LSM hooks (bprm_check_security)
    #[arg(value_name = "SYMBOL", required_unless_present = "exec")]
    symbols: Vec<String>,
    /// The functions that an exec passes and that are given a path or a process, as Markdown
    #[arg(long, conflicts_with = "symbols")]
    exec: bool,
    /// Kernels: ids of the table, paths of images, or all
    #[arg(
        short = 'k',
        long = "kernel",
        value_name = "KERNEL",
        default_value = "all",
        value_delimiter = ','
    )]
    kernels: Vec<String>,
    /// Where the modules of an image are
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Look at the kernel that this runs on, and print JSON; what the guests do
    #[arg(long, hide = true)]
    here: bool,
}

/// Asks each kernel; exit status 1 when a hook is missing on one.
pub fn main(args: &Args) -> Result<ExitCode> {
    args.symbols.iter().try_for_each(check_symbol)?;
    let mut out = std::io::stdout().lock();
    if args.here {
        match args.exec {
            true => serde_json::to_writer(&mut out, &exec()?)?,
            false => serde_json::to_writer(&mut out, &look(&args.symbols)?)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let stop = Stop::listen()?;
    let project = Project::open()?;
    let (targets, missing) = targets::find(&project, &args.kernels, args.modules.as_deref())?;
    ensure!(
        targets.iter().all(|target| target.kernel.is_some()),
        "hooks boots the kernels that it asks: instead of native, name the running kernel's image, \
         such as /boot/vmlinuz-$(uname -r)"
    );
    for id in &missing {
        let fetches = project.fetches(id);
        tell!("warning: kernel {id} is not fetched and was not asked: {fetches} fetches it");
    }
    let suite = live::prepare(&project, &targets, &stop)?;
    if args.exec {
        let steps = ask_all(&suite, &targets, &["--exec".to_owned()], &stop);
        let steps: Vec<_> = steps.into_iter().collect::<Result<_>>()?;
        let labels = targets.iter().map(|target| target.label().to_owned());
        let kernels: Vec<(String, Vec<Step>)> = labels.zip(steps).collect();
        write!(out, "{}", page(&kernels)).context("failed to write the output")?;
        return Ok(ExitCode::SUCCESS);
    }
    let asked = [&["--".to_owned()], args.symbols.as_slice()].concat();
    let mut answered = Vec::new();
    let mut failures = Vec::new();
    let answers = ask_all(&suite, &targets, &asked, &stop);
    for (target, answer) in targets.iter().zip(answers) {
        match answer {
            Ok(offers) => answered.push((target, offers)),
            Err(error) => failures.push(error),
        }
    }
    let complete = tell_of(&hooks(&project, &args.symbols, answered)?, &mut out)?;
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Ok(ExitCode::from(u8::from(!complete)));
    };
    // An interrupted command has one reason for all of them.
    for more in failures.filter(|_| !stop.is_asked_for()) {
        tell!("exetrail: {}", trail::shown(&format!("{more:#}")));
    }
    Err(first)
}

/// Writes what kernels said of the hooks; whether none of them misses one.
fn tell_of(hooks: &[Hook], out: &mut impl Write) -> Result<bool> {
    let mut complete = true;
    let told = hooks.iter().filter(|hook| !hook.sides.is_empty());
    for (number, hook) in told.enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        written(write!(out, "{gap}{}", show(hook)))?;
        if !hook.missing().is_empty() {
            complete = false;
            let kernels = hook.missing().join(", ");
            written(writeln!(out, "  missing on {kernels}"))?;
        }
    }
    Ok(complete)
}

fn check_symbol(symbol: &String) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_:.".contains(c);
    ensure!(
        !symbol.is_empty() && symbol.chars().all(plain),
        "{symbol:?} is no name of a function or tracepoint"
    );
    Ok(())
}

/// Each symbol with what the kernels that answered say of it, and what is recorded.
///
/// # Errors
///
/// A kernel answers something else than it was asked, or snapshots cannot be read.
fn hooks(
    project: &Project,
    symbols: &[String],
    answered: Vec<(&ReadyKernel, Vec<Offer>)>,
) -> Result<Vec<Hook>> {
    let stories = Stories::read(project)?;
    let hook = |symbol: &String| Hook {
        symbol: symbol.clone(),
        sides: Vec::new(),
    };
    let mut hooks: Vec<_> = symbols.iter().map(hook).collect();
    for (target, offers) in answered {
        let told = offers.iter().map(|offer| &offer.symbol);
        ensure!(
            told.eq(symbols),
            "{} answers what it was not asked",
            target.label()
        );
        for (hook, offer) in hooks.iter_mut().zip(offers) {
            let known = project.table.find(&target.id).is_some() && is_recorded(&hook.symbol);
            let recorded = known.then(|| stories.of(&target.id, &hook.symbol));
            let (passed, failing) = recorded.unwrap_or_default();
            hook.sides.push(Side {
                kernel: target.label().to_owned(),
                offer,
                passed,
                failing,
            });
        }
    }
    Ok(hooks)
}

/// Asks every kernel, as many side by side as there are cores; the answers are in the order of the kernels.
fn ask_all<T: DeserializeOwned + Send>(
    suite: &Suite,
    targets: &[ReadyKernel],
    asked: &[String],
    stop: &Stop,
) -> Vec<Result<T>> {
    let queue = Mutex::new(targets.iter().enumerate());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let answers = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((place, target)) = next() {
                    tell!("{}: asking {}", target.label(), target.release);
                    let answer = ask(suite, target, asked, stop);
                    if let Ok(mut answers) = answers.lock() {
                        answers.insert(place, answer);
                    }
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap_or_default();
    answers.into_values().collect()
}

/// Boots a kernel and has this very command look at it from inside.
fn ask<T: DeserializeOwned>(
    suite: &Suite,
    target: &ReadyKernel,
    asked: &[String],
    stop: &Stop,
) -> Result<T> {
    let mut argv = ["exetrail", "hooks", "--here"]
        .map(ToOwned::to_owned)
        .to_vec();
    argv.extend(asked.iter().cloned());
    let bench = Bench {
        job: Job::Command {
            argv,
            input: Input::None,
            fetch: Vec::new(),
            init: None,
        },
        load: Load::default(),
        cpus: 1,
        parameters: String::new(),
        memory: None,
        limit: Some(LIMIT),
    };
    let mut said = Answer::default();
    let status = suite.command(target, &bench, stop, &mut |message| match message {
        Message::Output { stream, bytes } => said.take(stream, &bytes),
        _ => ControlFlow::Continue(()),
    })?;
    said.read(&target.label(), status)
}

/// What a guest says of its hooks, while it comes.
#[derive(Default)]
struct Answer {
    text: Vec<u8>,
    complaint: Vec<u8>,
}

impl Answer {
    /// Takes a piece, until it is more than an answer may be.
    fn take(&mut self, stream: Stream, bytes: &[u8]) -> ControlFlow<()> {
        if self.is_too_long() {
            return ControlFlow::Break(());
        }
        match stream {
            Stream::Stdout => self.text.extend(bytes),
            Stream::Stderr => self.complaint.extend(bytes),
        }
        ControlFlow::Continue(())
    }

    fn is_too_long(&self) -> bool {
        self.text.len() + self.complaint.len() > LONGEST
    }

    /// The answer of a kernel whose command ended with this status, or did not end.
    fn read<T: DeserializeOwned>(&self, label: &str, status: Option<u8>) -> Result<T> {
        ensure!(
            !self.is_too_long(),
            "{label} says more than {} MiB of what it offers",
            LONGEST >> 20
        );
        match status {
            Some(0) => {}
            Some(_) => bail!(
                "{label} does not say what it offers: {}",
                trail::printable(&self.complaint)
            ),
            None => bail!("{label} did not answer within {} s", LIMIT.as_secs()),
        }
        serde_json::from_slice(&self.text)
            .and_then(|answer| serde_json::from_value(trail::foreign(answer)))
            .with_context(|| format!("failed to read what {label} says"))
    }
}

/// What is recorded of a symbol: how execs pass it that succeed, and how many of those that fail.
type Recorded = (Vec<(&'static str, Option<Passed>)>, (usize, usize));

/// The accepted stages, by scenario and kernel.
struct Stories {
    lineage: Lineage,
    usual: Vec<(&'static str, BTreeMap<KernelId, Inside>)>,
    failing: Vec<BTreeMap<KernelId, Inside>>,
}

impl Stories {
    fn read(project: &Project) -> Result<Stories> {
        let view = STAGES.view().context("there is no view of stages")?;
        let read = |scenario: &str| -> Result<BTreeMap<KernelId, Inside>> {
            let files = project.store().load(scenario, STAGES)?;
            let mut found = BTreeMap::new();
            for (id, text) in files {
                let body = view.parse(&text)?;
                if let Some(story) = body.get::<stages::Stages>() {
                    found.insert(id, story.inside.clone());
                }
            }
            Ok(found)
        };
        let failing = select(&[FAILING.to_owned()])?;
        Ok(Stories {
            lineage: project.table.lineage(),
            usual: USUAL
                .iter()
                .map(|(what, scenario)| Ok((*what, read(scenario)?)))
                .collect::<Result<_>>()?,
            failing: failing
                .iter()
                .map(|one| read(one.name))
                .collect::<Result<_>>()?,
        })
    }

    /// When successful execs pass a symbol, and how many of those that fail.
    fn of(&self, id: &KernelId, symbol: &str) -> Recorded {
        let at = |all| self.lineage.at(id, all).map(|(_, story)| story);
        let usual = self.usual.iter();
        let usual = usual
            .filter_map(|(what, all)| Some((*what, passed(at(all)?, symbol))))
            .collect();
        let failing = self.failing.iter().filter_map(at);
        let failing: Vec<_> = failing
            .filter(|story| passed(story, SUCCEEDED).is_none())
            .collect();
        let seen = failing
            .iter()
            .filter(|story| passed(story, symbol).is_some());
        let seen = seen.count();
        (usual, (seen, failing.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &[u8], complaint: &[u8]) -> Answer {
        let mut said = Answer::default();
        let _ = said.take(Stream::Stdout, text);
        let _ = said.take(Stream::Stderr, complaint);
        said
    }

    fn read(said: &Answer, status: Option<u8>) -> Result<Vec<String>, String> {
        let read = said.read("6.1", status);
        read.map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_answer_is_read_where_its_command_succeeded() {
        let whole = said(b"[\"a\x1b\"]", b"");
        assert_eq!(
            read(&said(b"[\"a\"]", b""), Some(0)),
            Ok(vec!["a".to_owned()])
        );
        assert!(
            read(&whole, Some(0))
                .unwrap_err()
                .starts_with("failed to read what 6.1 says")
        );
        let failed = read(&said(b"[]", b"no\x1b tracer\n"), Some(1)).unwrap_err();
        assert!(
            failed.starts_with("6.1 does not say what it offers: no\\x1b tracer"),
            "{failed}"
        );
        let late = read(&said(b"", b""), None).unwrap_err();
        assert_eq!(late, "6.1 did not answer within 120 s");
    }

    #[test]
    fn of_a_hook_that_no_kernel_answered_for_nothing_is_told() {
        let hook = Hook {
            symbol: "do_exit".to_owned(),
            sides: Vec::new(),
        };
        let mut out = Vec::new();
        assert!(tell_of(&[hook], &mut out).unwrap());
        assert!(out.is_empty());
    }

    #[test]
    fn an_answer_without_an_end_is_broken_off() {
        let mut said = Answer::default();
        let piece = vec![b' '; LONGEST];
        assert!(said.take(Stream::Stdout, &piece).is_continue());
        assert!(said.take(Stream::Stderr, b"x").is_continue());
        assert!(said.take(Stream::Stdout, &piece).is_break());
        assert_eq!(said.text.len(), LONGEST);
        let error = read(&said, Some(0)).unwrap_err();
        assert_eq!(error, "6.1 says more than 16 MiB of what it offers");
    }
}
