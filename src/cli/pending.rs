//! `--pending`: from records to pending snapshots, for `cargo insta review`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::baseline::{Baselines, Lineage, Plan, Store, plan, write_pending};
use crate::project::Project;
use crate::report::differences;
use crate::trail::{KernelId, Outcome};
use crate::view::{AGENT, Record, VIEWS, ViewName, observed, rows};

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
    let texts = texts(own, records)?;
    let same = same(records);
    let mut strange = BTreeSet::new();
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
        let is_same = |id: &KernelId| same.contains(&(*scenario, *view, id.clone()));
        let accepted = as_accepted(&lineage, &files, observed, is_same);
        let plan = plan(&lineage, &files, &accepted);
        count += put(&snapshots.join(scenario).join(view), &plan, observed)?;
        let known = |id: &&KernelId| project.table.find(id).is_some();
        strange.extend(observed.keys().filter(|id| !known(id)));
    }
    for id in strange {
        tell!("kernel {id} is not in vm/kernels.toml: a snapshot of it needs an entry there");
    }
    match count {
        0 if texts.is_empty() => tell!("nothing is pending: nothing was seen"),
        0 => tell!("nothing is pending: the snapshots say what was seen"),
        count => sum_up(count, records),
    }
    Ok(())
}

/// What was seen, scenario by scenario, in the views that are accepted where it is written.
fn texts<'a>(
    own: Option<&Path>,
    records: &'a [Record],
) -> Result<Vec<(&'a str, ViewName, Baselines)>> {
    let mut texts = Vec::new();
    for view in VIEWS.iter().map(|view| view.name()) {
        let observed = observed(records, view)?;
        if (view == AGENT) == own.is_some() {
            let observed = observed.into_iter();
            texts.extend(observed.map(|(scenario, seen)| (scenario, view, seen)));
        }
    }
    Ok(texts)
}

/// Writes what is pending of one view of a scenario, and says so; returns how many snapshots that are.
fn put(directory: &Path, plan: &Plan, observed: &Baselines) -> Result<usize> {
    let written = write_pending(directory, plan)?;
    for path in &written {
        let id = path.file_name().and_then(|name| name.to_str());
        let id = id.and_then(|name| name.strip_suffix(".snap.new")?.parse::<KernelId>().ok());
        let why = match id.is_some_and(|id| !observed.contains_key(&id)) {
            true => " (what this kernel was held to, which was not run)",
            false => "",
        };
        tell!("pending: {}{why}", path.display());
    }
    for id in &plan.redundant {
        let file = directory.join(format!("{id}.snap"));
        tell!(
            "redundant once that is accepted, remove it: {}",
            file.display()
        );
    }
    Ok(written.len())
}

/// Says how many snapshots are pending, of what, and how they are accepted.
fn sum_up(count: usize, records: &[Record]) {
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

/// Where pending snapshots are written.
///
/// # Errors
///
/// There is no checkout.
pub fn place(project: &Project, own: Option<&Path>) -> Result<PathBuf> {
    let snapshots = own.map(Path::to_owned).or_else(|| project.snapshots());
    snapshots.context("--pending writes into the snapshots of a checkout: call it inside of one")
}

/// What was seen as it is accepted.
fn same(records: &[Record]) -> HashSet<(&str, ViewName, KernelId)> {
    let all = records.iter().flat_map(|record| {
        let id: Option<KernelId> = record.kernel.id.parse().ok();
        let same = record
            .seen
            .iter()
            .filter(|seen| seen.outcome == Outcome::Same);
        same.filter_map(move |seen| Some((record.scenario.as_str(), seen.view, id.clone()?)))
    });
    all.collect()
}

/// The texts that the files are to say: where a kernel is the same, what is accepted for it, although a view may tell what is no
/// difference, such as what an image without its modules does not have.
fn as_accepted(
    lineage: &Lineage,
    files: &Baselines,
    observed: &BTreeMap<KernelId, String>,
    is_same: impl Fn(&KernelId) -> bool,
) -> BTreeMap<KernelId, String> {
    let text = |id: &KernelId, seen: &String| {
        let accepted = lineage.at(id, files).filter(|_| is_same(id));
        accepted.map_or(seen, |(_, text)| text).clone()
    };
    observed
        .iter()
        .map(|(id, seen)| (id.clone(), text(id, seen)))
        .collect()
}

/// The table's lineage with the kernels that it does not have yet.
fn lineage<'a>(project: &Project, seen: impl Iterator<Item = &'a KernelId>) -> Lineage {
    let entries = project.table.kernels.iter();
    let known = entries.map(|entry| (entry.id.clone(), entry.parent.clone()));
    let strange = seen.filter(|id| project.table.find(id).is_none());
    Lineage::new(known.chain(strange.map(|id| (id.clone(), None))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_is_the_same_asks_for_what_is_accepted() {
        let id = |text: &str| -> KernelId { text.parse().unwrap() };
        let lineage = Lineage::new(["5.10", "7.3"].map(|text| (id(text), None)));
        let files = Baselines::from([(id("5.10"), "a".to_owned())]);
        let seen = ["5.10", "7.3"].map(|text| (id(text), "b".to_owned()));
        let asked = as_accepted(&lineage, &files, &seen.into(), |at| *at == id("7.3"));
        let texts: Vec<_> = asked.values().map(String::as_str).collect();
        assert_eq!(texts, ["b", "a"]);
    }
}
