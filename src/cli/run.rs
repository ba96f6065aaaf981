//! `exetrail run`: scenarios on kernels against the baselines.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use super::output::{colour, written};
use super::progress::Progress;
use super::{INTERRUPTED, agent, live, pending, provenance, views};
use crate::baseline;
use crate::own::{FILE, chosen};
use crate::project::Project;
use crate::records::{self, Soak};
use crate::report::{FormatName, Said, Show};
use crate::scenario::{Registered, select};
use crate::suite::{Asked, Begin, Options, ReadyKernel, RunEvent, Stop, Suite, Wanted, observed};
use crate::trail::{KernelId, LabKind, Outcome};
use crate::view::{AGENT, Record, ViewName, rows};
use crate::vm::machine::check_parameters;

/// Arguments of `exetrail run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios by name, family or glob, such as shebang, start or 'start/*exec*' [default: all]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Kernels: an id such as 6.12, `all`, `native`, or the path of a bzImage, vmlinux, build tree
    /// or Debian package [default: those that the suite names, else all]
    #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Show these views alone; all that were observed are judged [default: the trail, and of the
    /// others what is not as accepted]
    #[arg(long, value_name = "VIEW", value_delimiter = ',', value_parser = views::names())]
    view: Vec<ViewName>,
    /// Arm the observers of these views alone; the trail always is [default: trail and stages, or what
    /// EXETRAIL_OBSERVE says]
    #[arg(long, value_name = "VIEW", value_delimiter = ',', value_parser = views::asked())]
    observe: Vec<Asked>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
    /// What the text shows [default: all of one scenario, of several the changes]
    #[arg(long, value_enum, value_name = "WHAT")]
    show: Option<Show>,
    /// Keep the records in this directory, for `check` and `report`
    #[arg(long, value_name = "DIR", conflicts_with = "repeat")]
    records: Option<PathBuf>,
    /// Write what differs or is new as pending snapshots, for cargo insta review
    #[arg(long, conflicts_with = "repeat")]
    pending: bool,
    /// How many guests run side by side [default: as many as there are CPUs]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), allow_negative_numbers = true)]
    jobs: Option<u16>,
    /// Virtual CPUs of each guest
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8), allow_negative_numbers = true)]
    cpus: u32,
    /// Parameters for the kernels, beside our own (kernel-parameters.txt)
    #[arg(
        long,
        value_name = "PARAMETERS",
        default_value = "",
        hide_default_value = true
    )]
    append: String,
    /// Boot every kernel instead of restoring one that was saved where its guest waits
    #[arg(long)]
    cold: bool,
    /// Run everything that many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), allow_negative_numbers = true)]
    repeat: u16,
    /// Add what came of each round to the statistics in this file, and show only scenarios of which
    /// something was not as accepted
    #[arg(long, value_name = "FILE", conflicts_with_all = ["records", "pending"])]
    soak: Option<PathBuf>,
    /// Run the scenarios in an order that is made of this seed, 0 where none is given
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "0", value_parser = seed)]
    shuffle: Option<u64>,
    #[command(flatten)]
    agent: agent::AgentArgs,
}

/// From how many results on their number is told beforehand: it takes minutes.
const MANY: usize = 500;

fn seed(word: &str) -> Result<u64, String> {
    let why = "a seed is a number; a scenario goes before --shuffle";
    word.parse().map_err(|_| why.to_owned())
}

impl Default for Args {
    fn default() -> Args {
        Args {
            scenarios: Vec::new(),
            kernels: Vec::new(),
            modules: None,
            view: Vec::new(),
            observe: Vec::new(),
            agent: agent::AgentArgs::default(),
            format: FormatName::Text,
            show: None,
            records: None,
            pending: false,
            jobs: None,
            cpus: 1,
            append: String::new(),
            cold: false,
            repeat: 1,
            soak: None,
            shuffle: None,
        }
    }
}

/// Runs, shows, and sums up in the exit status.
pub fn main(args: &Args) -> Result<ExitCode> {
    let stop = Stop::listen()?;
    let project = Project::open()?;
    let scenarios = select(&args.scenarios)?;
    let mut observe = views::armed(&args.observe)?;
    let named = args.observe.contains(&Asked::View(AGENT));
    let asked = args.view.iter().copied().chain(named.then_some(AGENT));
    args.agent.check(&scenarios, &asked.collect::<Vec<_>>())?;
    args.agent.observe(&mut observe);
    views::check(&args.view, &observe, &scenarios)?;
    // What an agent alone is judged by is not shown to who has chosen what to observe.
    let mut asked_for = Vec::new();
    if args.agent.is_there() && !args.observe.is_empty() {
        asked_for = observed(&args.observe);
        asked_for.push(AGENT);
    }
    let shown_views = match args.view.is_empty() {
        true => &asked_for,
        false => &args.view,
    };
    let words = own_kernels(&args.kernels);
    let found = find(&project, &words, args.modules.as_deref());
    let (targets, missing) = match chosen().filter(|_| args.kernels.is_empty() && words != ["all"])
    {
        Some(own) => found.with_context(|| own.directory.join(FILE).display().to_string())?,
        None => found?,
    };
    one_of_a_series(&targets)?;
    // What cannot be written is told before anything boots.
    if args.pending {
        let own = args.agent.snapshots(&project);
        if own.is_none() && args.agent.is_there() {
            bail!(
                "beside an agent --pending writes what that reports, and nothing else: say where with --snapshots DIR"
            );
        }
        pending::place(&project, own.as_deref())?;
    } else {
        args.agent.has_snapshots()?;
    }
    let kept = match args.records {
        Some(_) => provenance::kernels(&targets)?,
        None => BTreeMap::new(),
    };
    if let Some(directory) = &args.records {
        if directory.exists() && !directory.is_dir() {
            bail!("--records {}: this is no directory", directory.display());
        }
        records::prepare(directory, &kept)?;
    }
    check_parameters(&args.append)?;
    if !args.append.is_empty() && targets.iter().any(|target| target.lab() == LabKind::Native) {
        bail!("the running kernel has its parameters: --append goes with kernels that are booted");
    }
    let required = required()?;
    for id in &missing {
        let word = if required { "error" } else { "warning" };
        let fetches = project.fetches(id);
        tell!("{word}: kernel {id} is not fetched and was not run: {fetches} fetches it");
    }
    let mut suite = live::prepare(&project, &targets, &stop)?;
    if let Some(brought) = args.agent.make(&project, &suite)? {
        suite.bring(brought);
    }
    if let Some(accel) = suite.accel() {
        tell!("accelerator: {accel}");
    }
    if args.soak.is_none() && targets.len() * scenarios.len() > MANY {
        tell!(
            "{} scenarios on {} kernels: Ctrl-C ends this, and what was seen is shown",
            scenarios.len(),
            targets.len()
        );
    }
    let mut options = Options {
        cpus: args.cpus,
        parameters: args.append.clone(),
        observe: observe.clone(),
        ..Options::default()
    };
    if args.cold {
        options.begin = Begin::Cold;
    }
    options.jobs = args.jobs.map_or(options.jobs, usize::from);
    let run = Run {
        suite: &suite,
        targets: &targets,
        options: &options,
        stop: &stop,
    };
    let mut format = args.format.make(colour(), args.show, &args.view);
    let mut records = Vec::new();
    let mut complete = true;
    // Why what was seen could not be written: it is shown all the same, and nothing more is run.
    let mut failed = Ok(());
    let whole = select(&[])?.len();
    // The order of scenarios goes on behind the most runs that a row of that number of CPUs has.
    let first = match &args.soak {
        Some(file) => Soak::update(file, |_| {})?.runs(args.cpus),
        None => 0,
    };
    let mut seen = 0;
    for round in first..first + u64::from(args.repeat) {
        let seed = args.shuffle.map(|seed| seed.wrapping_add(round));
        let order = order(&scenarios, seed);
        let begin = records.len();
        let mut out = std::io::stdout().lock();
        (complete, failed) = run.round(&order, &mut |record| {
            let shown = written(format.record(&views::only(&record, shown_views), &mut out));
            let mut kept = args.records.iter();
            let kept = kept.try_for_each(|directory| records::keep(directory, &record));
            records.push(record);
            shown.and(kept)
        });
        seen += records.len() - begin;
        if let Some(file) = &args.soak {
            let added = Soak::update(file, |soak| {
                soak.add(&records[begin..], whole, args.cpus, seed);
            });
            failed = failed.and(added.map(drop));
            records.retain(|record| record.outcome().badness() > Outcome::Unsupported.badness());
        }
        if !complete || failed.is_err() {
            break;
        }
    }
    if let Some(directory) = &args.records {
        let noted = records::note(directory, &provenance::of(&suite, kept, &options));
        failed = failed.and(noted);
    }
    let place = |record: &Record| {
        let label = record.kernel.label();
        targets.iter().position(|target| target.label() == label)
    };
    records.sort_by(|a, b| (&a.scenario, place(a)).cmp(&(&b.scenario, place(b))));
    let notes = targets
        .iter()
        .filter_map(|target| target.note.clone())
        .chain(suite.note.clone())
        .chain(views::left_out(&observe, &scenarios).filter(|_| !args.agent.is_there()))
        .chain(views::hidden(&records, shown_views))
        .chain(parameters(&args.append, &records));
    let notes = notes.chain(match args.scenarios.is_empty() {
        true => forgotten(&scenarios)?,
        false => Vec::new(),
    });
    let all = targets.len() * scenarios.len() * usize::from(args.repeat);
    let said = Said {
        notes: notes.collect(),
        interrupted: (!complete)
            .then(|| format!("{seen} of {all} runs of a scenario on a kernel are there")),
    };
    let shown: Vec<_> = records
        .iter()
        .map(|record| views::only(record, shown_views))
        .collect();
    let mut out = std::io::stdout().lock();
    let mut shown_well = Ok(());
    // A soak shows what is not as accepted, and that may be nothing.
    let all_well = args.soak.is_some() && records.is_empty() && seen > 0;
    if !all_well {
        let ended = format.end(&rows(&shown), &said, &mut out);
        shown_well = written(ended.and_then(|()| out.flush()));
    }
    if args.agent.is_there() && args.format == FormatName::Text {
        let worth = args.agent.judgement(&records, &asked_for);
        shown_well = shown_well.and(written(write!(out, "{worth}")));
    }
    failed?;
    if let Some(what) = &said.interrupted {
        // The text says it as well, where it was read just now.
        let is_read = args.format == FormatName::Text && !all_well && out.is_terminal();
        if !is_read {
            tell!("interrupted: {what}");
        }
        if args.pending {
            tell!("no snapshot was written");
        }
        return shown_well.map(|()| ExitCode::from(INTERRUPTED));
    }
    // Also where nobody could be shown what was seen.
    if args.pending {
        let own = args.agent.snapshots(&project);
        pending::write(&project, own.as_deref(), &records)?;
    }
    shown_well?;
    let not_run = required && !missing.is_empty();
    if all_well {
        let what = if seen == 1 { "result" } else { "results" };
        tell!("{seen} {what}, all as accepted");
        return Ok(ExitCode::from(if not_run { 2 } else { 0 }));
    }
    Ok(status(&records, not_run))
}

/// Whether `EXETRAIL_REQUIRE` has what was not run fail.
///
/// # Errors
///
/// It says something else than `all`: a gate that is misspelt would let everything through.
pub fn required() -> Result<bool> {
    match std::env::var_os("EXETRAIL_REQUIRE") {
        None => Ok(false),
        Some(value) if value.is_empty() => Ok(false),
        Some(value) if value == "all" => Ok(true),
        Some(value) => bail!("EXETRAIL_REQUIRE={value:?} is unknown: it is all, or not set"),
    }
}

/// Names the parameters that the user gave where something was not seen, or not as accepted: they may be why (lockdown, audit=0).
fn parameters(given: &str, records: &[Record]) -> Option<String> {
    let calls = |record: &Record| record.outcome().badness() >= Outcome::Unsupported.badness();
    (!given.is_empty() && records.iter().any(calls)).then(|| {
        format!("the kernels had --append '{given}', which may be why something is not as it was")
    })
}

/// Snapshots of a user's suite whose case is gone, told of when all of it was run.
///
/// # Errors
///
/// They cannot be listed.
fn forgotten(scenarios: &[&'static Registered]) -> Result<Vec<String>> {
    let Some(own) = chosen() else {
        return Ok(Vec::new());
    };
    let directory = own.directory.join("snapshots");
    let mut names = baseline::scenarios(&directory)?;
    for registered in scenarios {
        names.remove(registered.name);
    }
    let place = directory.display();
    let tell =
        |name| format!("{place}/{name} has snapshots of a case that is not there: remove them");
    Ok(names.iter().map(tell).collect())
}

/// Refuses two kernels of which what is kept would have the same name.
///
/// # Errors
///
/// Two are of one series.
pub fn one_of_a_series(targets: &[ReadyKernel]) -> Result<()> {
    for (index, target) in targets.iter().enumerate() {
        if let Some(other) = targets[..index]
            .iter()
            .find(|other| other.label() == target.label())
        {
            bail!(
                "{} and {} are both of the series {}, by which results are named: \
                 take them one after the other, and for records a directory each",
                other.release,
                target.release,
                target.label()
            );
        }
    }
    Ok(())
}

struct Run<'a> {
    suite: &'a Suite,
    targets: &'a [ReadyKernel],
    options: &'a Options,
    stop: &'a Stop,
}

impl Run<'_> {
    /// Boots every kernel once; false when it did not come to its end, and the first failure of those who take
    /// records, with which it ends.
    fn round(
        &self,
        scenarios: &[&'static Registered],
        take: &mut dyn FnMut(Record) -> Result<()>,
    ) -> (bool, Result<()>) {
        let mut progress = Progress::new(self.targets, scenarios.len());
        let mut result = Ok(());
        let work = live::work(self.targets, scenarios);
        let complete = self
            .suite
            .run(&work, self.options, self.stop, &mut |event| {
                progress.show(&event);
                if let RunEvent::Recorded { record, .. } = event
                    && let Err(error) = take(*record)
                    && result.is_ok()
                {
                    result = Err(error);
                    self.stop.ask();
                }
            });
        (complete, result)
    }
}

fn order(scenarios: &[&'static Registered], seed: Option<u64>) -> Vec<&'static Registered> {
    let mut order = scenarios.to_vec();
    if let Some(seed) = seed {
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
    }
    order
}

/// What `-k` says; where it says nothing, what a user's suite does, and else `all`.
pub fn own_kernels(words: &[String]) -> Vec<String> {
    let named = chosen().map(|own| {
        let named = own.settings.kernels.iter();
        // As its root, an image is named from where the suite is.
        let place = |word: &String| match own.directory.join(word) {
            path if word.parse::<KernelId>().is_err() && path.exists() => {
                path.display().to_string()
            }
            _ => word.clone(),
        };
        named.map(place).collect::<Vec<_>>()
    });
    meant(words, named.unwrap_or_default())
}

fn meant(words: &[String], named: Vec<String>) -> Vec<String> {
    match (words, named.is_empty()) {
        ([], true) => vec!["all".to_owned()],
        ([], false) => named,
        (words, _) => words.to_vec(),
    }
}

/// The kernels that can be booted, and the ids of those that are not fetched.
pub fn find(
    project: &Project,
    kernels: &[String],
    modules: Option<&Path>,
) -> Result<(Vec<ReadyKernel>, Vec<String>)> {
    Wanted::check_modules(project, kernels.iter().map(String::as_str), modules)?;
    let mut words: Vec<String> = Vec::new();
    for word in kernels {
        let all = project
            .table
            .kernels
            .iter()
            .map(|entry| entry.id.to_string());
        let meant = match word.as_str() {
            "all" => all.collect(),
            word => vec![word.to_owned()],
        };
        // One that is named twice is booted once.
        let fresh = meant.into_iter().filter(|word| !words.contains(word));
        words.extend(fresh.collect::<Vec<_>>());
    }
    let mut targets = Vec::new();
    let mut missing = Vec::new();
    for word in &words {
        match Wanted::find(project, word, modules)? {
            Wanted::Ready(target) => targets.push(target),
            Wanted::NotFetched(id) => missing.push(id.to_string()),
        }
    }
    Ok((targets, missing))
}

/// The exit status of everything that was seen, shown or not; nothing at all is no success.
pub fn status(records: &[Record], not_run: bool) -> ExitCode {
    let outcomes = records.iter().map(Record::outcome);
    let worst = outcomes.max_by_key(|outcome| outcome.badness());
    match worst {
        _ if not_run => ExitCode::from(2),
        None | Some(Outcome::Broken) => ExitCode::from(2),
        Some(Outcome::Changed | Outcome::New) => ExitCode::from(1),
        Some(Outcome::Same | Outcome::Seen | Outcome::Unsupported) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_named_where_something_is_not_as_it_was() {
        use crate::view::tests::record;
        let said = |given, outcome| parameters(given, &[record("start/a", "6.1", outcome)]);
        let text = said("audit=0", Outcome::Broken).unwrap();
        assert!(text.contains("--append 'audit=0'"), "{text}");
        assert_eq!(said("audit=0", Outcome::Same), None);
        assert_eq!(said("", Outcome::Broken), None);
    }

    #[test]
    fn kernels_of_a_suite_are_for_who_names_none() {
        let suite = || vec!["6.12".to_owned()];
        let all = vec!["all".to_owned()];
        assert_eq!(meant(&[], suite()), suite());
        assert_eq!(meant(&all, suite()), all);
        assert_eq!(meant(&[], Vec::new()), all);
    }
}
