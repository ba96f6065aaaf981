//! `exetrail explain`: a start in words, made from what was observed.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use super::live;
use crate::baseline::View;
use crate::project::Project;
use crate::scenario::{Registered, select};
use crate::stages::{self, Story};
use crate::suite::{Target, Wanted};
use crate::trail::KernelId;

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
}

/// Tells the story of each scenario.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let scenarios = select(&args.scenarios)?;
    let newest = project.table.kernels.iter().map(|entry| &entry.id).max();
    let newest = newest.map(ToString::to_string);
    let word = args
        .kernel
        .clone()
        .or(newest)
        .context("the table of kernels is empty")?;
    let id = word.parse::<KernelId>().ok();
    let known = id.filter(|id| project.table.find(id).is_some());
    let stories = match known {
        Some(id) if !args.live => scenarios
            .iter()
            .map(|scenario| accepted(&project, &id, scenario))
            .collect::<Result<Vec<_>>>()?,
        _ => match Wanted::find(&project, &word, None)? {
            Wanted::Ready(target) => seen(&project, target, &scenarios)?,
            Wanted::NotFetched(id) => bail!("kernel {id} is not fetched: vm/setup {id} fetches it"),
        },
    };
    let mut out = std::io::stdout().lock();
    let mut untold = false;
    for (number, (scenario, story)) in scenarios.iter().zip(stories).enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        let heading = format!("{} on {word}: {}", scenario.name, scenario.scenario.summary);
        let text = match story {
            Ok(story) => stages::explain(&story),
            Err(reason) => {
                untold = true;
                format!("not told: {reason}\n")
            }
        };
        writeln!(out, "{gap}{heading}\n\n{}", text.trim_end())
            .context("failed to write the output")?;
    }
    Ok(ExitCode::from(if untold { 2 } else { 0 }))
}

/// A story, or why there is none.
type Told = Result<Story, String>;

fn accepted(project: &Project, id: &KernelId, scenario: &Registered) -> Result<Told> {
    let files = project.store().load(scenario.name, View::Stages)?;
    let lineage = project.table.lineage();
    let Some(text) = lineage.owner(id, &files).and_then(|owner| files.get(owner)) else {
        let why = match scenario.has_stages() {
            true => format!("no snapshot of the stages applies to {id}"),
            false => "only scenarios of the family start have stages".to_owned(),
        };
        return Ok(Err(why));
    };
    Ok(Ok(stages::parse(text)?))
}

fn seen(project: &Project, target: Target, scenarios: &[&'static Registered]) -> Result<Vec<Told>> {
    let findings = live::observe(project, &[target], scenarios)?;
    let findings = findings.into_iter().next().unwrap_or_default();
    let story = |scenario: &&Registered| {
        let found = findings
            .iter()
            .find(|found| found.record.scenario == scenario.name);
        let record = &found.ok_or("it ended without a result")?.record;
        if record.inside.stages.is_empty() {
            let reason = record
                .inside
                .stages_reason
                .clone()
                .or(record.reason.clone());
            return Err(reason.unwrap_or_else(|| "nobody looked inside".to_owned()));
        }
        Ok(Story {
            trail: record.trail.clone(),
            inside: record.inside.clone(),
        })
    };
    Ok(scenarios.iter().map(story).collect())
}
