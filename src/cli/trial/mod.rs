//! `exetrail try`: a program of the user's, as it stands here, on other kernels.

mod asked;
mod make;
mod reach;
mod save;
mod show;
mod verdict;
mod wrote;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use self::make::Ready;
use super::output;
use super::progress::Progress;
use super::{INTERRUPTED, live, targets, views};
use crate::own::{Own, chosen, register};
use crate::project::Project;
use crate::report::{FormatName, Said};
use crate::root::Added;
use crate::scenario::Registered;
use crate::suite::{Asked, Options, ReadyKernel, RunEvent, Stop, observed};
use crate::view::{AGENT, Record, STAGES, TRAIL, ViewName, rows};
use crate::vm::image::Load;
use crate::wire::Written;

/// Arguments of `exetrail try`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Kernels: ids of the table, paths of images, or all [default: the newest of the table]
    #[arg(
        short = 'k',
        long = "kernel",
        value_name = "KERNEL",
        value_delimiter = ','
    )]
    kernels: Vec<String>,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// The guest's root: a directory, a tar archive or an OCI image layout; the program is then a path in it
    #[arg(long, value_name = "PATH")]
    root: Option<PathBuf>,
    /// Take a file or directory along, where it is here or at another place; of a program, what it needs
    #[arg(long, value_name = "HOST[:GUEST]")]
    add: Vec<Added>,
    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Working directory in the guest [default: this one, for a relative path]
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Who makes the call, by number [default: root]
    #[arg(long = "as", value_name = "UID[:GID]", allow_negative_numbers = true)]
    who: Option<String>,
    /// The call [default: execve, and execveat with --fd]
    #[arg(long, value_enum)]
    call: Option<asked::CallOption>,
    /// Execute this open file or directory: descriptor 5 of execveat, opened with O_PATH and O_CLOEXEC (so that a script is not
    /// found: ENOENT), where the program is "" or a path from there
    #[arg(long, value_name = "PATH")]
    fd: Option<String>,
    /// Say no to one event at a time: to each whose words begin so, such as 'open /etc/ld.so.cache', or to each of all. A
    /// policy says no again when its program tries again (a case's deny = { always = N })
    #[arg(long, value_name = "EVENT|each")]
    deny: Option<String>,
    /// Register a format with binfmt_misc, as it is written to `register`
    #[arg(long, value_name = ":NAME:RULE")]
    binfmt: Vec<String>,
    /// Have the program on a mount of its own: bind, overlay (with :noexec, :nosuid), at its directory
    /// or at another
    #[arg(long, value_name = "KIND[:OPTION..][:DIR]")]
    mount: Vec<String>,
    /// Watch the file system of this path as well, beside the root's
    #[arg(long, value_name = "PATH")]
    watch: Vec<String>,
    /// Preload a library (LD_PRELOAD)
    #[arg(long, value_name = "FILE")]
    preload: Vec<PathBuf>,
    /// How long nothing may happen before it is given up, in seconds [default: 20]
    #[arg(long, value_name = "SECONDS")]
    deadline: Option<u64>,
    /// Show these views [default: the trail]
    #[arg(long, value_name = "VIEW", value_delimiter = ',', value_parser = views::names())]
    view: Vec<ViewName>,
    /// Tell in words what the kernel does
    #[arg(long)]
    explain: bool,
    /// Keep it as this case of the suite
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
    /// Parameters for the kernels, beside our own
    #[arg(
        long,
        value_name = "PARAMETERS",
        default_value = "",
        hide_default_value = true
    )]
    append: String,
    /// Say which files go along, and why, and show more of what is written
    #[arg(short, long)]
    verbose: bool,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "PROGRAM")]
    command: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  exetrail try -- ./agent --version                  on the newest kernel, with what it needs
  exetrail try -k 5.10,6.1,7.3 -- ./run.sh           what differs between kernels
  exetrail try --root rootfs/ -- /usr/bin/app        a container's root
  exetrail try --deny 'open /etc/ld.so.cache' -- ls  what a policy does there
  exetrail try --suite . --save agent/usual -- ./agent   a case of a suite

Exit status: 0 alike on all kernels and as the model predicts, 1 not so, 2 it could not be seen.";

/// Where `--save` keeps a case.
fn suite_of_save() -> Result<&'static Own> {
    chosen().context("--save keeps a case of a suite: say which with --suite DIR")
}

/// Refuses a view that does not tell of what is done.
fn tells(args: &Args, registered: &Registered) -> Result<()> {
    let words = args
        .view
        .iter()
        .map(|name| (format!("--view {name}"), *name));
    let words = words.chain(args.explain.then(|| ("--explain".to_owned(), STAGES)));
    for (word, name) in words {
        if !name.view().is_some_and(|view| view.applies(registered)) {
            bail!("{word} tells of one start, and --deny makes several: leave one of the two out");
        }
    }
    Ok(())
}

/// A question that can be put to kernels.
struct Question {
    made: make::Ready,
    registered: &'static Registered,
    targets: Vec<ReadyKernel>,
    /// A kernel is required that is not among them.
    lacks: bool,
}

/// Makes a case of the arguments, runs it, and shows what was seen.
pub fn main(args: &Args) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    if args.view.contains(&AGENT) {
        bail!(
            "the view {AGENT} is of `exetrail run --agent`: here no program runs beside the observers"
        );
    }
    let project = Project::open()?;
    let question = prepare(args, &project)?;
    let (mut records, complete) = run(args, &project, &question, &stop)?;
    if !complete {
        tell!("interrupted");
    }
    let status = verdict::status(&records);
    let said = Said {
        interrupted: (!complete)
            .then(|| format!("{} of {} kernels", records.len(), question.targets.len())),
        ..Said::default()
    };
    let shown = show(args, &mut records, &said);
    // Also where nobody could be shown what was seen.
    if let Some(name) = &args.save {
        let Ready { case, tree, .. } = &question.made;
        match complete && !records.is_empty() && records.iter().all(verdict::is_whole) {
            true => save::save(name, case, tree, &suite_of_save()?.directory)?,
            false => tell!("not kept: it was not seen to its end on each kernel"),
        }
    }
    output::read_or_not(shown)?;
    Ok(match (complete, question.lacks) {
        (false, _) => ExitCode::from(INTERRUPTED),
        (true, true) => ExitCode::from(2),
        (true, false) => status,
    })
}

/// Everything that can be wrong with the arguments is told before anything boots.
fn prepare(args: &Args, project: &Project) -> Result<Question> {
    let made = make::make(args, project)?;
    if let Some(name) = &args.save {
        save::free(name, &suite_of_save()?.directory)?;
    }
    let registered = register(&name(args), made.case.clone())?;
    tells(args, registered)?;
    let newest = project.table.kernels.iter().map(|entry| &entry.id).max();
    let kernels = match args.kernels.is_empty() {
        true => vec![newest.context("the table of kernels is empty")?.to_string()],
        false => args.kernels.clone(),
    };
    let (targets, missing) = targets::find(project, &kernels, args.modules.as_deref())?;
    targets::one_of_a_series(&targets)?;
    let lacks = targets::tell_missing(project, &missing)?;
    targets::check_parameters(&targets, &args.append)?;
    Ok(Question {
        made,
        registered,
        targets,
        lacks,
    })
}

/// The name under which the program is a scenario: the one that it is kept by, or a part of its path.
fn name(args: &Args) -> String {
    let words = args.command.first().into_iter().chain(&args.fd);
    let names = words.filter_map(|word| Path::new(word).file_name()?.to_str());
    let kept = args.save.clone();
    kept.unwrap_or_else(|| named(names.into_iter().next().unwrap_or("program")))
}

/// A name below `try`, with nothing in it that has a meaning in the name of a scenario.
fn named(program: &str) -> String {
    let plain = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '+' | '-' => character,
        _ => '_',
    };
    format!("try/{}", program.chars().map(plain).collect::<String>())
}

/// What was seen on the kernels, in their order, and whether that is all.
fn run(
    args: &Args,
    project: &Project,
    question: &Question,
    stop: &Stop,
) -> Result<(Vec<Record>, bool)> {
    let targets = &question.targets;
    let mut suite = live::prepare(project, targets, stop)?;
    let root = Load::own(question.made.archive.clone());
    suite.bring_alone(question.registered.name, root);
    // What is not asked for is not armed: a first answer is worth a second.
    let mut asked = [&[TRAIL], args.view.as_slice()].concat();
    asked.extend(args.explain.then_some(STAGES));
    let asked: Vec<_> = asked.into_iter().map(Asked::View).collect();
    let options = Options {
        observe: observed(&asked),
        parameters: args.append.clone(),
        output: Written::Sent,
        ..Options::default()
    };
    let mut progress = Progress::new(targets, 1);
    let mut seen: Vec<(usize, Record)> = Vec::new();
    let work = live::work(targets, &[question.registered]);
    let complete = suite.run(&work, &options, stop, &mut |event| {
        // What came of it is shown below.
        if !matches!(event, RunEvent::Recorded { .. }) {
            progress.show(&event);
        }
        if let RunEvent::Recorded { kernel, record } = event {
            seen.push((kernel, *record));
        }
    });
    seen.sort_by_key(|(kernel, _)| *kernel);
    Ok((
        seen.into_iter().map(|(_, record)| record).collect(),
        complete,
    ))
}

/// Shows records, which are judged where a format is for machines.
fn show(args: &Args, records: &mut [Record], said: &Said) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if args.format != FormatName::Text {
        verdict::judge(records);
        let mut format = args.format.make(output::colour(), None, &[]);
        records
            .iter()
            .try_for_each(|record| format.record(record, &mut out))
            .and_then(|()| format.end(&rows(records), said, &mut out))?;
    } else {
        let shown = show::Shown {
            command: &args.command,
            views: &args.view,
            explain: args.explain,
            output: match args.verbose {
                true => usize::MAX,
                false => show::LINES,
            },
            colour: output::colour(),
        };
        shown.write(records, &mut out)?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::named;
    use crate::own;

    #[test]
    fn a_program_is_a_scenario_by_a_name_of_its_own() {
        assert_eq!(named("run.sh"), "try/run.sh");
        for program in ["a::b|c", "a # SKIP", "\\`*<>", "a\nb", "\u{202e}", "..."] {
            own::check_name(&named(program)).unwrap();
        }
    }
}
