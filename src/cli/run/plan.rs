//! A run as far as it is known before anything boots, and its rounds.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

use super::{Args, own_kernels, parameters};
use crate::baseline;
use crate::cli::output::written;
use crate::cli::progress::Progress;
use crate::cli::{live, pending, provenance, targets, views};
use crate::own::{FILE, chosen};
use crate::project::Project;
use crate::records::{self, Kernel, Soak};
use crate::report::{Format, Said};
use crate::scenario::{Registered, select};
use crate::suite::{Asked, Begin, Options, ReadyKernel, RunEvent, Stop, Suite, observed};
use crate::trail::Outcome;
use crate::view::{AGENT, Record, ViewName};

/// A run of more results than this takes minutes, and says beforehand how many there are.
const MANY: usize = 500;

/// What is run, and with what.
pub struct Plan<'a> {
    pub args: &'a Args,
    pub project: Project,
    /// A kernel is required that is not fetched.
    pub lacks: bool,
    /// The views that are asked for beside an agent's; none where nobody chose.
    pub asked_for: Vec<ViewName>,
    scenarios: Vec<&'static Registered>,
    targets: Vec<ReadyKernel>,
    /// Where the kernels come from, as records say it.
    kernels: BTreeMap<String, Kernel>,
    suite: Suite,
    options: Options,
    stop: &'a Stop,
}

/// What came of the rounds.
pub struct Seen {
    /// By scenario and kernel; of a soak those that are not as accepted.
    pub records: Vec<Record>,
    /// How many there were.
    pub count: usize,
    /// Nobody interrupted it.
    pub complete: bool,
    /// Why what was seen could not be written: it is shown all the same, and nothing more is run.
    pub failed: Result<()>,
}

impl<'a> Plan<'a> {
    /// Prepares a run; what is wrong with a call, and what cannot be written, is told before anything boots.
    ///
    /// # Errors
    ///
    /// The call is wrong, or something is not there.
    pub fn of(args: &'a Args, stop: &'a Stop) -> Result<Plan<'a>> {
        let project = Project::open()?;
        let scenarios = select(&args.scenarios)?;
        let observe = armed(args, &scenarios)?;
        // What an agent alone is judged by is not shown to who has chosen what to observe.
        let mut asked_for = Vec::new();
        if args.agent.is_there() && !args.observe.is_empty() {
            asked_for = observed(&args.observe);
            asked_for.push(AGENT);
        }
        let (targets, missing) = kernels(args, &project)?;
        check_snapshots(args, &project)?;
        let (lacks, kernels) = checked(args, &project, &targets, &missing)?;
        let mut suite = live::prepare(&project, &targets, stop)?;
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
        Ok(Plan {
            args,
            project,
            lacks,
            asked_for,
            scenarios,
            targets,
            kernels,
            suite,
            options: options(args, observe),
            stop,
        })
    }

    /// The views that are shown; all for none.
    pub fn shown(&self) -> &[ViewName] {
        match self.args.view.is_empty() {
            true => &self.asked_for,
            false => &self.args.view,
        }
    }

    /// Runs everything as often as is asked for, shows records as they come, and keeps them where that is asked for.
    ///
    /// # Errors
    ///
    /// The statistics of a soak cannot be read.
    pub fn rounds(&self, format: &mut dyn Format) -> Result<Seen> {
        let args = self.args;
        let mut seen = Seen {
            records: Vec::new(),
            count: 0,
            complete: true,
            failed: Ok(()),
        };
        let whole = select(&[])?.len();
        // The order of scenarios goes on behind the most runs that a row of that number of CPUs has.
        let first = match &args.soak {
            Some(file) => Soak::update(file, |_| {})?.runs(args.cpus),
            None => 0,
        };
        for round in first..first + u64::from(args.repeat) {
            let seed = args.shuffle.map(|seed| seed.wrapping_add(round));
            let begin = seen.records.len();
            self.round(&order(&self.scenarios, seed), format, &mut seen);
            seen.count += seen.records.len() - begin;
            if let Some(file) = &args.soak {
                let added = Soak::update(file, |soak| {
                    soak.add(&seen.records[begin..], whole, args.cpus, seed);
                });
                seen.failed = seen.failed.and(added.map(drop));
                let is_loud = |outcome: Outcome| outcome.badness() > Outcome::Unsupported.badness();
                seen.records.retain(|record| is_loud(record.outcome()));
            }
            if !seen.complete || seen.failed.is_err() {
                break;
            }
        }
        if let Some(directory) = &args.records {
            let provenance = provenance::of(&self.suite, self.kernels.clone(), &self.options);
            let noted = records::note(directory, &provenance);
            seen.failed = seen.failed.and(noted);
        }
        self.sort(&mut seen.records);
        Ok(seen)
    }

    /// Boots every kernel once. The first failure of what takes the records ends it.
    fn round(&self, scenarios: &[&'static Registered], format: &mut dyn Format, seen: &mut Seen) {
        let mut out = std::io::stdout().lock();
        let mut take = |record: Record| {
            let shown = format.record(&views::only(&record, self.shown()), &mut out);
            let mut kept = self.args.records.iter();
            let kept = kept.try_for_each(|directory| records::keep(directory, &record));
            seen.records.push(record);
            written(shown).and(kept)
        };
        let mut progress = Progress::new(&self.targets, scenarios.len());
        let work = live::work(&self.targets, scenarios);
        seen.complete = self
            .suite
            .run(&work, &self.options, self.stop, &mut |event| {
                progress.show(&event);
                if let RunEvent::Recorded { record, .. } = event
                    && let Err(error) = take(*record)
                    && seen.failed.is_ok()
                {
                    seen.failed = Err(error);
                    self.stop.ask();
                }
            });
    }

    /// By scenario, and by kernel in the order in which they were named.
    fn sort(&self, records: &mut [Record]) {
        let place = |record: &Record| {
            let label = record.kernel.label();
            let mut targets = self.targets.iter();
            targets.position(|target| target.label() == label)
        };
        records.sort_by(|a, b| (&a.scenario, place(a)).cmp(&(&b.scenario, place(b))));
    }

    /// What is to be said of the run as a whole.
    ///
    /// # Errors
    ///
    /// Snapshots of a suite cannot be listed.
    pub fn said(&self, seen: &Seen) -> Result<Said> {
        let (args, records) = (self.args, &seen.records);
        let all = self.targets.len() * self.scenarios.len() * usize::from(args.repeat);
        let interrupted = (!seen.complete).then(|| {
            format!(
                "{} of {all} runs of a scenario on a kernel are there",
                seen.count
            )
        });
        // A soak shows what is not as accepted, and that may be nothing.
        if args.soak.is_some() && records.is_empty() && seen.count > 0 {
            return Ok(Said {
                notes: Vec::new(),
                interrupted,
                accepted: Some(as_accepted(seen.count)),
            });
        }
        let left_out = views::left_out(&self.options.observe, &self.scenarios);
        let forgotten = match args.scenarios.is_empty() {
            true => forgotten(&self.scenarios)?,
            false => Vec::new(),
        };
        let notes = self
            .targets
            .iter()
            .filter_map(|target| target.note.clone())
            .chain(self.suite.note.clone())
            .chain(left_out.filter(|_| !args.agent.is_there()))
            .chain(views::hidden(records, self.shown()))
            .chain(parameters(&args.append, records))
            .chain(forgotten);
        Ok(Said {
            notes: notes.collect(),
            interrupted,
            accepted: None,
        })
    }
}

fn as_accepted(count: usize) -> String {
    let what = if count == 1 { "result" } else { "results" };
    format!("{count} {what}, all as accepted")
}

/// The views whose observers are armed.
fn armed(args: &Args, scenarios: &[&'static Registered]) -> Result<Vec<ViewName>> {
    let mut observe = views::armed(&args.observe)?;
    let named = args.observe.contains(&Asked::View(AGENT));
    let asked = args.view.iter().copied().chain(named.then_some(AGENT));
    args.agent.check(scenarios, &asked.collect::<Vec<_>>())?;
    args.agent.observe(&mut observe);
    views::check(&args.view, &observe, scenarios)?;
    Ok(observe)
}

/// The kernels that can be booted, and those that are not fetched.
fn kernels(args: &Args, project: &Project) -> Result<(Vec<ReadyKernel>, Vec<String>)> {
    let words = own_kernels(&args.kernels);
    let found = targets::find(project, &words, args.modules.as_deref());
    let found = match chosen().filter(|_| args.kernels.is_empty() && words != ["all"]) {
        Some(own) => found.with_context(|| own.directory.join(FILE).display().to_string())?,
        None => found?,
    };
    targets::one_of_a_series(&found.0)?;
    Ok(found)
}

/// Refuses a call for which there is no place for snapshots, or none to read them from.
fn check_snapshots(args: &Args, project: &Project) -> Result<()> {
    if args.pending {
        let own = args.agent.place(project)?;
        return pending::place(project, own.as_deref()).map(drop);
    }
    args.agent.has_snapshots()
}

/// Tells what is missing, refuses what no kernel takes, and only then makes the directory of records: a wrong call leaves
/// none. Whether the run fails for what is missing, and where the kernels of the records come from.
fn checked(
    args: &Args,
    project: &Project,
    targets: &[ReadyKernel],
    missing: &[String],
) -> Result<(bool, BTreeMap<String, Kernel>)> {
    let lacks = targets::tell_missing(project, missing)?;
    targets::check_parameters(targets, &args.append)?;
    Ok((lacks, records_of(args, targets)?))
}

/// Makes the directory of records ready; where its kernels come from.
fn records_of(args: &Args, targets: &[ReadyKernel]) -> Result<BTreeMap<String, Kernel>> {
    let Some(directory) = &args.records else {
        return Ok(BTreeMap::new());
    };
    let kernels = provenance::kernels(targets)?;
    if directory.exists() && !directory.is_dir() {
        bail!("--records {}: this is no directory", directory.display());
    }
    records::prepare(directory, &kernels)?;
    Ok(kernels)
}

fn options(args: &Args, observe: Vec<ViewName>) -> Options {
    let mut options = Options {
        cpus: args.cpus,
        parameters: args.append.clone(),
        observe,
        ..Options::default()
    };
    if args.cold {
        options.begin = Begin::Cold;
    }
    options.jobs = args.jobs.map_or(options.jobs, usize::from);
    options
}

fn order(scenarios: &[&'static Registered], seed: Option<u64>) -> Vec<&'static Registered> {
    let mut order = scenarios.to_vec();
    if let Some(seed) = seed {
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
    }
    order
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_wrong_call_leaves_no_directory_of_records() {
        let room = tempfile::tempdir().unwrap();
        let project = Project::open_at(None, PathBuf::new()).unwrap();
        let mut args = Args {
            records: Some(room.path().join("records")),
            append: "rdinit=/bin/sh".to_owned(),
            ..Args::default()
        };
        let made = |args: &Args| {
            let checked = checked(args, &project, &[], &[]);
            (checked.is_ok(), room.path().join("records").exists())
        };
        assert_eq!(made(&args), (false, false));
        args.append.clear();
        assert_eq!(made(&args), (true, true));
    }
}
