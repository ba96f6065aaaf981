//! `exetrail diff`: what changed between two kernels.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::{live, output, targets, views};
use crate::diff::{Form, Side};
use crate::project::Project;
use crate::scenario::{Registered, select};
use crate::suite::{ReadyKernel, Wanted};
use crate::trail::KernelId;
use crate::view::{AnyView, Body, ViewName};

/// Arguments of `exetrail diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The first kernel: an id such as 6.12, or what `run -k` takes
    old: String,
    /// The second kernel
    new: String,
    /// Scenarios by name, family or glob [default: all]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Boot the kernels of the table as well, instead of reading their snapshots
    #[arg(long)]
    live: bool,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// The view that is compared
    #[arg(long, default_value = "trail", value_parser = views::names())]
    view: ViewName,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

/// Where one side comes from.
enum Source {
    Snapshots(KernelId),
    Boot(Box<ReadyKernel>),
}

/// What a view saw, with where it comes from, or why there is nothing.
type Seen = Result<(Side, Body), String>;

/// Compares and shows; the exit status is 1 when something differs.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let mut scenarios = select(&args.scenarios)?;
    views::check(&[args.view], &[args.view], &scenarios)?;
    let view = args.view.view().context("there is no such view")?;
    scenarios.retain(|scenario| view.applies(scenario));
    let words = [args.old.as_str(), &args.new];
    Wanted::check_modules(&project, words, args.modules.as_deref())?;
    let sources = [&args.old, &args.new].map(|word| source(&project, word, args));
    let [old, new] = sources;
    let (old, new) = (old?, new?);
    let booted = [&old, &new]
        .iter()
        .any(|source| matches!(source, Source::Boot(_)));
    let is_kept = |source: &Source| matches!(source, Source::Snapshots(_));
    if is_kept(&old) || is_kept(&new) {
        targets::tell_unnamed();
    }
    let sides = [(&args.old, &old), (&args.new, &new)];
    let [old, new] = seen(&project, view, sides, &scenarios)?;
    let found = compare(args, view, &scenarios, old.into_iter().zip(new))?;
    let of = scenarios.len() - found.missing;
    if args.format != Form::Json {
        let what = if of == 1 { "scenario" } else { "scenarios" };
        let verb = if found.different == 1 {
            "differs"
        } else {
            "differ"
        };
        let result = writeln!(
            std::io::stdout(),
            "{} of {of} {what} {verb} in {} between {} and {}",
            found.different,
            view.name(),
            args.old,
            args.new
        );
        output::written(result)?;
    }
    // A kernel that lacks what a scenario needs has no snapshot: no trouble.
    let failed = booted && found.missing > 0;
    // Nothing is not alike.
    Ok(match (failed || of == 0, found.different) {
        (true, _) => ExitCode::from(2),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(1),
    })
}

/// What comparing came to.
#[derive(Default)]
struct Found {
    different: usize,
    /// How many scenarios could not be compared.
    missing: usize,
}

/// Compares scenario by scenario, and shows what differs; JSON has all of them.
fn compare(
    args: &Args,
    view: &dyn AnyView,
    scenarios: &[&'static Registered],
    seen: impl Iterator<Item = (Seen, Seen)>,
) -> Result<Found> {
    let mut out = std::io::stdout().lock();
    let mut found = Found::default();
    for (scenario, both) in scenarios.iter().zip(seen) {
        let (old, new) = match both {
            (Ok(old), Ok(new)) => (old, new),
            (Err(reason), _) | (_, Err(reason)) => {
                tell!("{} was not compared: {reason}", scenario.name);
                found.missing += 1;
                continue;
            }
        };
        let comparison = view.compare(scenario.name, (old.0, &old.1), (new.0, &new.1));
        found.different += usize::from(comparison.is_different());
        if comparison.is_different() || args.format == Form::Json {
            let gap = if args.format == Form::Json { "" } else { "\n" };
            let text = match args.format {
                Form::Text => views::painted(&comparison.show(Form::Text), 4, output::colour()),
                form => comparison.show(form),
            };
            output::written(write!(out, "{text}{gap}"))?;
        }
    }
    Ok(found)
}

fn source(project: &Project, word: &str, args: &Args) -> Result<Source> {
    match targets::of_table(project, word) {
        Some(id) if !args.live => {
            targets::check_spoken_of(&id)?;
            Ok(Source::Snapshots(id))
        }
        _ => {
            let target = targets::ready(project, word, args.modules.as_deref())?;
            Ok(Source::Boot(Box::new(target)))
        }
    }
}

/// What was seen on both sides, by scenario; boots what has to be booted in one run.
fn seen(
    project: &Project,
    view: &dyn AnyView,
    sides: [(&String, &Source); 2],
    scenarios: &[&'static Registered],
) -> Result<[Vec<Seen>; 2]> {
    let booted = sides.iter().filter_map(|(_, source)| match source {
        Source::Boot(target) => Some(target.as_ref().clone()),
        Source::Snapshots(_) => None,
    });
    let targets: Vec<_> = booted.collect();
    let mut found = live::observe(project, &targets, scenarios, view.name())?.into_iter();
    let mut both = [Vec::new(), Vec::new()];
    for (seen, (name, source)) in both.iter_mut().zip(sides) {
        let records = match source {
            Source::Boot(_) => found.next().unwrap_or_default(),
            Source::Snapshots(_) => Vec::new(),
        };
        for scenario in scenarios {
            seen.push(match source {
                Source::Snapshots(id) => snapshot(project, view, id, scenario)?,
                Source::Boot(_) => {
                    let record = records
                        .iter()
                        .find(|record| record.scenario == scenario.name)
                        .context("a scenario ended without a result")?;
                    let body = record.of(view.name()).and_then(|seen| seen.body.clone());
                    let side = Side {
                        kernel: name.to_owned(),
                        source: format!("seen on {}", record.kernel.release),
                    };
                    let why = || format!("on {name}, {}", live::why(record, view.name()));
                    body.map(|body| (side, body)).ok_or_else(why)
                }
            });
        }
    }
    Ok(both)
}

fn snapshot(
    project: &Project,
    view: &dyn AnyView,
    id: &KernelId,
    scenario: &Registered,
) -> Result<Seen> {
    let files = project.store().load(scenario.name, view.name())?;
    let lineage = project.table.lineage();
    let Some((owner, text)) = lineage.at(id, &files) else {
        return Ok(Err(format!("no snapshot applies to {id}")));
    };
    let body = view.parse(text);
    let body = body.with_context(|| format!("the snapshot of {owner}"))?;
    let side = Side {
        kernel: id.to_string(),
        source: format!("snapshot of {owner}"),
    };
    Ok(Ok((side, body)))
}
