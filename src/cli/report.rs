//! `exetrail report`: one self-contained HTML page.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::check;
use crate::files;
use crate::project::{Project, speaks_of};
use crate::report::{Accepted, Chapter, page};
use crate::scenario::{Registered, select};
use crate::trail::{KernelInfo, LabKind, Outcome};
use crate::view::{Judged, Record, VIEWS, ViewSeen};

/// Arguments of `exetrail report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directories that `run --records` wrote; several are joined [default: the accepted snapshots]
    #[arg(value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// The page; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Writes the page.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let (records, source) = match args.directories.is_empty() {
        true => (accepted(&project)?, "The accepted snapshots"),
        false => (check::read(&project, &args.directories)?, "Kept records"),
    };
    let chapters = select(&[])?
        .into_iter()
        .map(|scenario| chapter(&project, scenario, &records))
        .collect::<Result<Vec<_>>>()?;
    let page = page(&records, &chapters, source)?;
    if args.output.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        return out
            .write_all(page.as_bytes())
            .context("failed to write the output")
            .map(|()| ExitCode::SUCCESS);
    }
    files::replace(&args.output, page.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What is accepted, as if every kernel of the table had been run and were the same.
fn accepted(project: &Project) -> Result<Vec<Record>> {
    let (store, lineage) = (project.store(), project.table.lineage());
    let mut records = Vec::new();
    for scenario in select(&[])? {
        let views = VIEWS.iter().filter(|view| view.applies(scenario));
        let views = views.map(|view| Ok((view, store.load(scenario.name, view.name())?)));
        let views = views.collect::<Result<Vec<_>>>()?;
        let entries = project.table.kernels.iter();
        for entry in entries.filter(|entry| speaks_of(&entry.id)) {
            let mut seen = Vec::new();
            for (view, files) in &views {
                let Some((owner, text)) = lineage.at(&entry.id, files) else {
                    continue;
                };
                seen.push(ViewSeen {
                    view: view.name(),
                    outcome: Outcome::Same,
                    reason: None,
                    body: Some(view.parse(text)?),
                    judged: Some(Judged {
                        owner: Some(owner.clone()),
                        diff: None,
                    }),
                });
            }
            if seen.is_empty() {
                continue;
            }
            records.push(Record {
                scenario: scenario.name.to_owned(),
                kernel: KernelInfo::of(&entry.id.to_string(), &entry.release, LabKind::Vm),
                seen,
                model: None,
            });
        }
    }
    Ok(records)
}

/// What is known of a scenario, with what is accepted where records differ from it.
fn chapter(project: &Project, scenario: &Registered, records: &[Record]) -> Result<Chapter> {
    let mut accepted = Vec::new();
    for record in records.iter().filter(|one| one.scenario == scenario.name) {
        for seen in &record.seen {
            let owner = seen.judged.as_ref().and_then(|judged| judged.owner.clone());
            let (Outcome::Changed, Some(owner), Some(view)) =
                (seen.outcome, owner, seen.view.view())
            else {
                continue;
            };
            let files = project.store().load(scenario.name, seen.view)?;
            if let Some(text) = files.get(&owner) {
                accepted.push(Accepted {
                    kernel: record.kernel.label().to_owned(),
                    owner,
                    body: (seen.view, view.parse(text)?),
                });
            }
        }
    }
    Ok(Chapter {
        name: scenario.name.to_owned(),
        summary: scenario.scenario.summary.to_owned(),
        docs: crate::citation::expand(scenario.docs),
        accepted,
    })
}
