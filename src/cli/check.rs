//! `exetrail check`: kept records against the baselines, without a VM.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use super::{pending, run};
use crate::baseline::View;
use crate::project::Project;
use crate::records;
use crate::report::{Finding, FormatName, views};
use crate::scenario::{Registered, select};
use crate::suite::{judge, judge_again};
use crate::trail::{Inside, Outcome, Record, Trail};

/// Arguments of `exetrail check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders that `run --records` wrote; several are joined
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
    /// Write what differs as pending snapshots, for cargo insta review
    #[arg(long)]
    pending: bool,
}

/// Judges again and shows; the exit status is that of the run.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let findings = read(&project, &args.folders)?;
    let missing = missing(&project, &findings);
    let required = std::env::var("EXETRAIL_REQUIRE").is_ok_and(|value| value == "all");
    for what in &missing {
        let word = if required { "error" } else { "warning" };
        eprintln!("{word}: there is no record of {what}");
    }
    let mut format = args.format.make(run::colour());
    let mut out = std::io::stdout().lock();
    let shown = findings
        .iter()
        .try_for_each(|finding| format.finding(finding, &mut out))
        .and_then(|()| format.end(&views(&findings), &notes(&findings), &mut out))
        .and_then(|()| out.flush());
    shown.context("failed to write the output")?;
    if args.pending {
        pending::write(&project, &findings)?;
    }
    Ok(run::status(
        &views(&findings),
        required && !missing.is_empty(),
    ))
}

/// Reads records and judges them by the baselines of today.
///
/// # Errors
///
/// A record that cannot be vouched for; see [`records::read`].
pub fn read(project: &Project, folders: &[PathBuf]) -> Result<Vec<Finding>> {
    for folder in folders {
        if !folder.is_dir() {
            bail!("{} is no folder of records", folder.display());
        }
    }
    let records = records::read(folders, &|name| Registered::find(name).is_some())?;
    records
        .into_iter()
        .map(|record| again(project, record))
        .collect()
}

fn again(project: &Project, record: Record) -> Result<Finding> {
    // What is unsupported or broken has no trail and stays what it is.
    if record.trail == Trail::default() {
        return Ok(Finding {
            record,
            judged: None,
            stages: None,
            view: View::Trail,
        });
    }
    let id = record.kernel.id.parse().map_err(anyhow::Error::msg)?;
    let (store, lineage) = (project.store(), project.table.lineage());
    let judged = judge(&store, &lineage, &id, &record.scenario, &record.trail);
    let (inside, stages) = match record.inside.stages_outcome {
        // Older records have no such view, and what gave none stays what it is.
        None | Some(Outcome::Unsupported) => (record.inside, None),
        Some(Outcome::Broken) if record.inside == empty(&record.inside) => (record.inside, None),
        Some(_) => {
            let own = (&store, &lineage);
            judge_again(own, &id, &record.scenario, &record.trail, record.inside)
        }
    };
    let record = Record {
        outcome: judged.outcome,
        reason: judged.reason.clone(),
        inside,
        ..record
    };
    Ok(Finding {
        record,
        judged: Some(judged),
        stages,
        view: View::Trail,
    })
}

/// A view that gave nothing but its outcome.
fn empty(inside: &Inside) -> Inside {
    Inside {
        stages: Vec::new(),
        untraceable: Vec::new(),
        ..inside.clone()
    }
}

/// The kernels of the table, or single scenarios on them, that no record tells of.
fn missing(project: &Project, findings: &[Finding]) -> Vec<String> {
    let mut there: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        let own = there.entry(finding.record.kernel.label()).or_default();
        own.insert(&finding.record.scenario);
    }
    let mut missing = Vec::new();
    for entry in &project.table.kernels {
        let id = entry.id.to_string();
        match there.get(id.as_str()) {
            None => missing.push(format!("kernel {id}")),
            Some(own) => {
                let all = select(&[]).unwrap_or_default();
                let lost = all.iter().filter(|scenario| !own.contains(scenario.name));
                missing.extend(lost.map(|lost| format!("{} on kernel {id}", lost.name)));
            }
        }
    }
    missing
}

/// What has to be said when shards did not run the same kernels.
fn notes(findings: &[Finding]) -> Vec<String> {
    let mut releases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        let kernel = &finding.record.kernel;
        releases
            .entry(kernel.label())
            .or_default()
            .insert(&kernel.release);
    }
    let several = releases
        .into_iter()
        .filter(|(_, releases)| releases.len() > 1);
    several
        .map(|(id, releases)| {
            let releases: Vec<_> = releases.into_iter().collect();
            format!("the records of {id} come from {}", releases.join(" and "))
        })
        .collect()
}
