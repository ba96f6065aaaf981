//! `exetrail contract`: what is claimed of a system call, and what became of it on each kernel.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use super::output::written;
use super::{live, targets};
use crate::citation;
use crate::contract::{self, Column, Table, all_known, specifications};
use crate::project::Project;
use crate::scenario::{Registered, select};
use crate::suite::{ReadyKernel, Wanted};
use crate::trail::{self, KernelId};
use crate::view::TRAIL;

/// Arguments of `exetrail contract`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kernels: an id such as 6.12, or what `run -k` takes, which is booted [default: the table]
    #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Boot the kernels of the table as well, instead of reading their snapshots
    #[arg(long)]
    live: bool,
    /// Where the modules of an image are, such as /lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// The specification: execve, execveat or walkthrough
    #[arg(long, default_value = "execve")]
    call: String,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Markdown,
}

/// Shows the table; the exit status is 0 whatever the verdicts are, and 2 where a kernel that was booted showed nothing.
pub fn main(args: &Args) -> Result<ExitCode> {
    let project = Project::open()?;
    let (columns, booted) = columns(&project, args)?;
    let table = table(&args.call, &columns)?;
    let text = match args.format {
        Form::Text => contract::text(&table),
        Form::Json => contract::json(&table)?,
        Form::Markdown => page(&table),
    };
    let mut out = std::io::stdout().lock();
    written(write!(out, "{text}"))?;
    let silent = silent(&columns, &booted);
    for kernel in &silent {
        tell!("error: nothing was seen on {kernel}");
    }
    Ok(ExitCode::from(if silent.is_empty() { 0 } else { 2 }))
}

/// `docs/contract.md`, from the snapshots of a project's kernels.
///
/// # Errors
///
/// Snapshots that cannot be read, or verdicts that no specification asks for.
pub fn document(project: &Project, call: &str) -> Result<String> {
    let entries = project.table.kernels.iter();
    let columns = entries.map(|entry| snapshots(project, &entry.id));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(page(&table(call, &columns)?))
}

fn page(table: &Table) -> String {
    contract::markdown(table, &|name| {
        Registered::find(name).map(|registered| citation::linked(registered.docs))
    })
}

fn table(call: &str, columns: &[Column]) -> Result<Table> {
    let all = specifications()?;
    all_known(&all, columns)?;
    let Some(own) = all.iter().find(|one| one.call == call) else {
        let known = all.iter().filter(|one| one.published);
        let known: Vec<_> = known.map(|one| one.call.as_str()).collect();
        bail!(
            "there is no specification of {call}; there is {}",
            known.join(", ")
        );
    };
    Table::new(own, columns)
}

/// The kernels at these places on which no claim was tried.
fn silent<'a>(columns: &'a [Column], places: &[usize]) -> Vec<&'a str> {
    let columns = places.iter().filter_map(|place| columns.get(*place));
    let silent = columns.filter(|column| column.trails.is_empty());
    silent.map(|column| column.kernel.as_str()).collect()
}

/// A column for each kernel, and the places of those that were booted.
fn columns(project: &Project, args: &Args) -> Result<(Vec<Column>, Vec<usize>)> {
    let all = ["all".to_owned()];
    let words = match args.kernels.as_slice() {
        [] => targets::words(project, &all),
        named => targets::words(project, named),
    };
    let named = words.iter().map(String::as_str);
    Wanted::check_modules(project, named, args.modules.as_deref())?;
    let mut columns = Vec::new();
    let mut booted: Vec<(usize, ReadyKernel)> = Vec::new();
    for word in &words {
        columns.push(match targets::of_table(project, word) {
            Some(id) if !args.live => snapshots(project, &id)?,
            _ => {
                let target = targets::ready(project, word, args.modules.as_deref())?;
                booted.push((columns.len(), target));
                Column {
                    kernel: word.clone(),
                    trails: BTreeMap::new(),
                }
            }
        });
    }
    boot(project, &booted, &mut columns)?;
    let places = booted.iter().map(|(place, _)| *place).collect();
    Ok((columns, places))
}

/// Runs the family on kernels that have no snapshots and fills their columns.
fn boot(project: &Project, booted: &[(usize, ReadyKernel)], columns: &mut [Column]) -> Result<()> {
    let targets: Vec<_> = booted.iter().map(|(_, target)| target.clone()).collect();
    let found = live::observe(project, &targets, &family()?, TRAIL)?;
    for ((place, _), records) in booted.iter().zip(found) {
        let column = &mut columns[*place];
        for record in records {
            let scenario = &record.scenario;
            match record.trail() {
                Some(trail) => drop(column.trails.insert(scenario.clone(), trail.clone())),
                None => tell!(
                    "{}: {scenario}: {}",
                    column.kernel,
                    live::why(&record, TRAIL)
                ),
            }
        }
    }
    Ok(())
}

/// What the snapshots say of a kernel.
fn snapshots(project: &Project, id: &KernelId) -> Result<Column> {
    let (store, lineage) = (project.store(), project.table.lineage());
    let mut trails = BTreeMap::new();
    for scenario in family()? {
        let files = store.load(scenario.name, TRAIL)?;
        let Some((owner, text)) = lineage.at(id, &files) else {
            continue;
        };
        let trail = trail::parse(text).with_context(|| format!("the snapshot of {owner}"))?;
        trails.insert(scenario.name.to_owned(), trail);
    }
    Ok(Column {
        kernel: id.to_string(),
        trails,
    })
}

fn family() -> Result<Vec<&'static Registered>> {
    select(&["contract".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Judgement;

    #[test]
    fn a_kernel_that_was_booted_and_showed_nothing_is_named() {
        let columns = ["5.10", "6.1"].map(|kernel| Column {
            kernel: kernel.to_owned(),
            trails: BTreeMap::new(),
        });
        assert_eq!(silent(&columns, &[1]), ["6.1"]);
        assert_eq!(silent(&columns, &[]), [""; 0]);
    }

    /// A false claim and true ones, held by the snapshots that this program was built with.
    #[test]
    fn a_false_claim_is_contradicted_and_true_ones_hold_on_all_kernels() {
        let project = Project::open_at(None, PathBuf::new()).unwrap();
        let entries = project.table.kernels.iter();
        let columns: Vec<_> = entries
            .map(|entry| snapshots(&project, &entry.id).unwrap())
            .collect();
        let table = table("control", &columns).unwrap();
        let wanted = [
            ("control/umask_reset", Judgement::Contradicted),
            ("control/ext4_as_tmpfs", Judgement::Holds),
            ("control/directory_kept", Judgement::Holds),
        ];
        assert_eq!(table.rows.len(), wanted.len());
        for (row, (claim, verdict)) in table.rows.iter().zip(wanted) {
            assert_eq!(row.claim.id, claim);
            let found = row.verdicts.iter().flatten().map(|found| found.verdict);
            assert_eq!(
                found.collect::<Vec<_>>(),
                vec![verdict; table.kernels.len()]
            );
        }
    }
}
