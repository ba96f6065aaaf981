//! `exetrail report`: one self-contained HTML page.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::check;
use crate::files;
use crate::own;
use crate::project::{Project, speaks_of};
use crate::report::{Accepted, Chapter, extent, page, summary};
use crate::scenario::{Registered, select};
use crate::trail::{KernelInfo, LabKind, Outcome};
use crate::view::{Judged, Record, VIEWS, ViewSeen, rows};

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
    let (records, origin) = match (args.directories.is_empty(), own::chosen()) {
        (true, None) => (accepted(&project)?, Origin::Snapshots),
        (true, Some(_)) => (accepted(&project)?, Origin::SnapshotsOfSuite),
        (false, _) => (check::read(&project, &args.directories)?, Origin::Records),
    };
    let chapters = select(&[])?
        .into_iter()
        .map(|scenario| chapter(&project, scenario, &records))
        .collect::<Result<Vec<_>>>()?;
    let page = page(&records, &chapters, &origin.told(&records))?;
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

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Records,
    Snapshots,
    SnapshotsOfSuite,
}

impl Origin {
    /// What the page says of it; only records tell what was run.
    fn told(self, records: &[Record]) -> String {
        let rows = rows(records);
        match self {
            Origin::Records => format!("Kept records: {}", summary(&rows)),
            Origin::Snapshots => format!("The accepted snapshots: {}", extent(&rows)),
            Origin::SnapshotsOfSuite => format!(
                "The accepted snapshots: {}. A kernel without one of its own has that of the next older one here, \
                 whether it was run or not",
                extent(&rows)
            ),
        }
    }
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
                output: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::record;

    #[test]
    fn records_alone_say_what_became_of_a_run() {
        let records = [record("start/a", "6.1", Outcome::Same)];
        let told = |origin: Origin| origin.told(&records);
        assert_eq!(
            told(Origin::Records),
            "Kept records: 1 scenario, 1 kernel, 1 view: 1 same"
        );
        assert_eq!(
            told(Origin::Snapshots),
            "The accepted snapshots: 1 scenario, 1 kernel, 1 view"
        );
        assert!(told(Origin::SnapshotsOfSuite).ends_with("whether it was run or not"));
    }
}
