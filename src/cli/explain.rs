//! `exetrail explain`: a start in words, made from what was observed.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::output::written;
use super::{live, targets, views};
use crate::project::{Project, speaks_of};
use crate::scenario::{Registered, select};
use crate::suite::ReadyKernel;
use crate::trail::KernelId;
use crate::view::{AnyView, Length, STAGES};

/// Arguments of `exetrail explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios by name, family or glob
    #[arg(value_name = "SCENARIO", required = true)]
    scenarios: Vec<String>,
    /// The kernel: an id such as 6.12, or what `run -k` takes [default: the newest of the table]
    #[arg(short, long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// Boot a kernel of the table as well, instead of reading its snapshots
    #[arg(long)]
    live: bool,
    /// Tell every stage that was observed, with what it means and what is proved by it
    #[arg(long)]
    full: bool,
}

/// Tells the story of each scenario.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let scenarios = select(&args.scenarios)?;
    let ids = project.table.kernels.iter().map(|entry| &entry.id);
    let newest = ids.filter(|id| speaks_of(id)).max();
    let newest = newest.map(ToString::to_string);
    let word = args
        .kernel
        .clone()
        .or(newest)
        .context("the table of kernels is empty")?;
    let length = if args.full {
        Length::Full
    } else {
        Length::Brief
    };
    let stories = match targets::of_table(&project, &word) {
        Some(id) if !args.live => {
            targets::check_spoken_of(&id)?;
            targets::tell_unnamed();
            scenarios
                .iter()
                .map(|scenario| accepted(&project, &id, scenario, length))
                .collect::<Result<Vec<_>>>()?
        }
        _ => {
            let target = targets::ready(&project, &word, None)?;
            seen(&project, target, &scenarios, length)?
        }
    };
    let mut out = std::io::stdout().lock();
    let mut untold = false;
    for (number, (scenario, story)) in scenarios.iter().zip(stories).enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        let heading = format!("{} on {word}: {}", scenario.name, scenario.scenario.summary);
        let text = match story {
            Ok(story) => story,
            Err(reason) => {
                untold = true;
                format!("not told: {reason}\n")
            }
        };
        written(writeln!(out, "{gap}{heading}\n\n{}", text.trim_end()))?;
    }
    Ok(ExitCode::from(if untold { 2 } else { 0 }))
}

/// A story in words, or why there is none.
type Told = Result<String, String>;

/// The view that tells it.
fn view() -> Result<&'static dyn AnyView> {
    STAGES.view().context("there is no view that tells a story")
}

fn accepted(
    project: &Project,
    id: &KernelId,
    scenario: &Registered,
    length: Length,
) -> Result<Told> {
    let view = view()?;
    let files = project.store().load(scenario.name, view.name())?;
    let lineage = project.table.lineage();
    let Some((_, text)) = lineage.at(id, &files) else {
        let why = match view.applies(scenario) {
            true => format!("no snapshot of its {} applies to {id}", view.name()),
            false => views::lacks(view, scenario),
        };
        return Ok(Err(why));
    };
    let story = view.explain(&view.parse(text)?, length);
    Ok(story.ok_or_else(|| "there is nothing to tell".to_owned()))
}

fn seen(
    project: &Project,
    target: ReadyKernel,
    scenarios: &[&'static Registered],
    length: Length,
) -> Result<Vec<Told>> {
    let view = view()?;
    let records = live::observe(project, &[target], scenarios, view.name())?;
    let records = records.into_iter().next().unwrap_or_default();
    let story = |scenario: &&Registered| {
        let record = records
            .iter()
            .find(|record| record.scenario == scenario.name);
        let record = record.ok_or("it ended without a result")?;
        let body = record.of(view.name()).and_then(|seen| seen.body.as_ref());
        let story = body.and_then(|body| view.explain(body, length));
        story.ok_or_else(|| match view.applies(scenario) {
            true => live::why(record, view.name()),
            false => views::lacks(view, scenario),
        })
    };
    Ok(scenarios.iter().map(story).collect())
}
