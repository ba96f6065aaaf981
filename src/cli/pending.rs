//! `--pending`: from records to pending snapshots, for `cargo insta review`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::baseline::{Lineage, Store, plan, write_pending};
use crate::project::Project;
use crate::report::differences;
use crate::trail::KernelId;
use crate::view::{AGENT, Record, VIEWS, observed, rows};

/// Writes what the records ask for into the checkout's snapshots, and says so; with a directory, what
/// an agent reported, into that.
///
/// # Errors
///
/// There is no checkout, or its snapshots cannot be read or written.
pub fn write(project: &Project, own: Option<&Path>, records: &[Record]) -> Result<()> {
    let snapshots = place(project, own)?;
    let store = match own {
        Some(_) => Store::Directory(snapshots.clone()),
        None => project.store(),
    };
    let mut texts = Vec::new();
    for view in VIEWS.iter().map(|view| view.name()) {
        let observed = observed(records, view)?;
        if (view == AGENT) != own.is_some() {
            continue;
        }
        texts.extend(
            observed
                .into_iter()
                .map(|(scenario, seen)| (scenario, view, seen)),
        );
    }
    let mut count = 0;
    for (scenario, view, observed) in &texts {
        let lineage = lineage(project, observed.keys());
        let files = match store.load(scenario, *view) {
            Ok(files) => files,
            Err(error) => {
                tell!("nothing is pending for {scenario}: {error:#}");
                continue;
            }
        };
        let plan = plan(&lineage, &files, observed);
        let directory = snapshots.join(scenario).join(view);
        for path in write_pending(&directory, &plan)? {
            tell!("pending: {}", path.display());
            count += 1;
        }
        for id in plan.redundant {
            let file = directory.join(format!("{id}.snap"));
            tell!(
                "redundant once that is accepted, remove it: {}",
                file.display()
            );
        }
        for id in observed
            .keys()
            .filter(|id| project.table.find(id).is_none())
        {
            tell!("kernel {id} is not in vm/kernels.toml: a snapshot of it needs an entry there");
        }
    }
    match count {
        0 => tell!("nothing is pending: the snapshots say what was seen"),
        _ => {
            let what = if count == 1 { "snapshot" } else { "snapshots" };
            // insta looks into packages of cargo alone.
            let accepted = match Path::new("Cargo.toml").exists() {
                true => "`cargo insta review` accepts or refuses them",
                false => "one is accepted by renaming X.snap.new to X.snap (docs/review.md)",
            };
            tell!(
                "{}\n{count} pending {what}: {accepted}",
                differences(&rows(records))
            );
        }
    }
    Ok(())
}

/// Where pending snapshots are written.
///
/// # Errors
///
/// There is no checkout.
pub fn place(project: &Project, own: Option<&Path>) -> Result<PathBuf> {
    let snapshots = own.map(Path::to_owned).or_else(|| project.snapshots());
    snapshots.context("--pending writes into the snapshots of a checkout: call it inside of one")
}

/// The table's lineage with the kernels that it does not have yet.
fn lineage<'a>(project: &Project, seen: impl Iterator<Item = &'a KernelId>) -> Lineage {
    let entries = project.table.kernels.iter();
    let known = entries.map(|entry| (entry.id.clone(), entry.parent.clone()));
    let strange = seen.filter(|id| project.table.find(id).is_none());
    Lineage::new(known.chain(strange.map(|id| (id.clone(), None))))
}
