//! `exetrail report`: one self-contained HTML page.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::check;
use crate::baseline::{Baselines, Lineage, View};
use crate::project::Project;
use crate::report::{Chapter, Finding, page};
use crate::scenario::{Registered, select};
use crate::stages;
use crate::suite::VIEW;
use crate::trail::{self, Inside, KernelId, KernelInfo, Lab, Outcome, Record, SCHEMA};

/// Arguments of `exetrail report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders that `run --records` wrote; several are joined [default: the accepted snapshots]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The page; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Writes the page.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let (findings, source) = match args.folders.is_empty() {
        true => (accepted(&project)?, "The accepted snapshots"),
        false => (check::read(&project, &args.folders)?, "Kept records"),
    };
    let chapters = select(&[])?
        .into_iter()
        .map(|scenario| chapter(&project, scenario, &findings))
        .collect::<Result<Vec<_>>>()?;
    let page = page(&findings, &chapters, source)?;
    if args.output.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        return out
            .write_all(page.as_bytes())
            .context("failed to write the output")
            .map(|()| ExitCode::SUCCESS);
    }
    std::fs::write(&args.output, page)
        .with_context(|| format!("failed to write {}", args.output.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The accepted trails as if every kernel of the table had been run and were the same.
fn accepted(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for scenario in select(&[])? {
        let files = project.store().load(scenario.name, VIEW)?;
        let stories = project.store().load(scenario.name, View::Stages)?;
        for entry in &project.table.kernels {
            let lineage = project.table.lineage();
            let Some(text) = lineage
                .owner(&entry.id, &files)
                .and_then(|owner| files.get(owner))
            else {
                continue;
            };
            let record = Record {
                schema: SCHEMA,
                scenario: scenario.name.to_owned(),
                kernel: KernelInfo {
                    id: entry.id.to_string(),
                    release: entry.release.clone(),
                    lab: Lab::Vm,
                },
                outcome: Outcome::Same,
                reason: None,
                trail: trail::parse(text)?,
                model: None,
                inside: inside(&lineage, &entry.id, &stories)?,
            };
            findings.push(Finding {
                record,
                judged: None,
                stages: None,
                view: View::Trail,
            });
        }
    }
    Ok(findings)
}

/// The accepted stages of a kernel, where there are any.
fn inside(lineage: &Lineage, id: &KernelId, files: &Baselines) -> Result<Inside> {
    let Some(text) = lineage.owner(id, files).and_then(|owner| files.get(owner)) else {
        return Ok(Inside::default());
    };
    Ok(Inside {
        stages_outcome: Some(Outcome::Same),
        ..stages::parse(text)?.inside
    })
}

/// What is known of a scenario, with the accepted trails that findings differ from.
fn chapter(project: &Project, scenario: &Registered, findings: &[Finding]) -> Result<Chapter> {
    let mut accepted = Vec::new();
    let changed = findings.iter().filter(|finding| {
        finding.record.scenario == scenario.name && finding.record.outcome == Outcome::Changed
    });
    for finding in changed {
        let owner: Option<&KernelId> = finding.judged.as_ref().and_then(|j| j.owner.as_ref());
        let files = project.store().load(scenario.name, VIEW)?;
        if let Some((owner, text)) = owner.and_then(|owner| Some((owner, files.get(owner)?))) {
            let kernel = finding.record.kernel.label().to_owned();
            accepted.push((kernel, owner.clone(), trail::parse(text)?));
        }
    }
    Ok(Chapter {
        name: scenario.name.to_owned(),
        summary: scenario.scenario.summary.to_owned(),
        docs: scenario.docs.to_owned(),
        accepted,
    })
}
