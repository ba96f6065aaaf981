//! `exetrail check`: kept records against the baselines, without a VM.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::output::{colour, written};
use super::{pending, run, views};
use crate::diff::all;
use crate::project::{Project, required};
use crate::records;
use crate::report::{FormatName, Said, Show};
use crate::scenario::{Registered, select};
use crate::suite::judge_again;
use crate::view::{Record, VIEWS, rows};

/// Arguments of `exetrail check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directories that `run --records` wrote; several are joined
    #[arg(value_name = "DIR", required = true)]
    directories: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
    /// What the text shows [default: all of one scenario, of several the changes]
    #[arg(long, value_enum, value_name = "WHAT")]
    show: Option<Show>,
    /// Write what differs or is new as pending snapshots, for cargo insta review
    #[arg(long)]
    pending: bool,
}

/// Judges again and shows; the exit status is that of the run.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let records = read(&project, &args.directories)?;
    let missing = missing(&project, &records);
    let required = required()?;
    let missing: Vec<_> = missing
        .iter()
        .map(|what| format!("there is no record of {what}"))
        .collect();
    if required {
        missing.iter().for_each(|what| tell!("error: {what}"));
    }
    let mut format = args.format.make(colour(), args.show, &[]);
    let mut out = std::io::stdout().lock();
    let said = Said {
        // Also for who reads the output alone, such as a job's summary.
        notes: missing.iter().cloned().chain(notes(&records)).collect(),
        ..Said::default()
    };
    let shown = records
        .iter()
        .try_for_each(|record| format.record(record, &mut out))
        .and_then(|()| format.end(&rows(&records), &said, &mut out))
        .and_then(|()| out.flush());
    // Also where nobody could be shown what was seen.
    if args.pending {
        pending::write(&project, None, &records)?;
    }
    written(shown)?;
    Ok(match required && !missing.is_empty() {
        true => ExitCode::from(2),
        false => run::status(&records),
    })
}

/// Reads records and judges them by the baselines of today.
///
/// # Errors
///
/// A record that cannot be vouched for; see [`records::read`].
pub fn read(project: &Project, directories: &[PathBuf]) -> Result<Vec<Record>> {
    for directory in directories {
        if !directory.is_dir() {
            bail!("{} is not a directory of records", directory.display());
        }
    }
    let records = records::read(directories, &|name| Registered::find(name).is_some())?;
    let (store, lineage) = (project.store(), project.table.lineage());
    let again = |record| judge_again((&store, &lineage), record).map_err(anyhow::Error::msg);
    records.into_iter().map(again).collect()
}

/// The kernels of the table, or of a user's suite, and single scenarios on them that no record tells of.
fn missing(project: &Project, records: &[Record]) -> Vec<String> {
    let mut there: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in records {
        let own = there.entry(record.kernel.label()).or_default();
        own.insert(&record.scenario);
    }
    let (mut kernels, mut missing) = (Vec::new(), Vec::new());
    let words = run::own_kernels(&[]);
    let ids = project
        .table
        .kernels
        .iter()
        .map(|entry| entry.id.to_string());
    for id in ids.filter(|id| words.iter().any(|word| word == "all" || word == id)) {
        match there.get(id.as_str()) {
            None => kernels.push(id),
            Some(own) => {
                let all = select(&[]).unwrap_or_default();
                let lost = all.iter().filter(|scenario| !own.contains(scenario.name));
                let lost: Vec<_> = lost.map(|lost| lost.name).collect();
                if !lost.is_empty() {
                    missing.push(format!("{} on kernel {id}", views::few(&lost)));
                }
            }
        }
    }
    match kernels.as_slice() {
        [] => {}
        [one] => missing.insert(0, format!("kernel {one}")),
        several => missing.insert(0, format!("kernels {}", all(several))),
    }
    missing
}

/// What has to be said when shards did not run the same kernels, or not under the same observers.
fn notes(records: &[Record]) -> Vec<String> {
    let mut releases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for record in records {
        let kernel = &record.kernel;
        releases
            .entry(kernel.label())
            .or_default()
            .insert(&kernel.release);
    }
    let several = releases
        .into_iter()
        .filter(|(_, releases)| releases.len() > 1);
    let several = several.map(|(id, releases)| {
        let releases: Vec<_> = releases.into_iter().collect();
        format!("the records of {id} come from {}", releases.join(" and "))
    });
    several.chain(unobserved(records)).collect()
}

/// The views that apply to a record's scenario, and that the record does not have.
fn unobserved(records: &[Record]) -> Vec<String> {
    let mut by_count: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for view in VIEWS {
        let lacks = records.iter().filter(|record| {
            let scenario = Registered::find(&record.scenario);
            record.trail().is_some()
                && record.of(view.name()).is_none()
                && scenario.is_some_and(|scenario| view.applies(scenario))
        });
        match lacks.count() {
            0 => {}
            count => by_count
                .entry(count)
                .or_default()
                .push(view.name().as_str()),
        }
    }
    let note = |(count, names): (usize, Vec<&str>)| {
        let (records, is) = match (count, names.len()) {
            (1, 1) => ("1 record lacks".to_owned(), "is"),
            (1, _) => ("1 record lacks".to_owned(), "are"),
            (count, 1) => (format!("{count} records lack"), "is"),
            (count, _) => (format!("{count} records lack"), "are"),
        };
        format!("{records} {}, which {is} not judged", views::few(&names))
    };
    by_count.into_iter().map(note).collect()
}
