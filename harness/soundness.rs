//! The snapshot directory itself: nothing damaged, stale or redundant. Boots nothing.

use std::path::{Path, PathBuf};

use exetrail::baseline::{Store, plan};
use exetrail::files;
use exetrail::project::{Project, cache_directory};
use exetrail::scenario::Registered;
use exetrail::view::ViewName;
use libtest_mimic::Failed;

/// Checks a page of the documentation, below this directory.
type Check = fn(&Path) -> Result<(), Failed>;

/// The pages that are generated from the snapshots.
pub const PAGES: [(&str, Check); 5] = [
    ("contract", contract),
    ("contract-execveat", contract_of_execveat),
    ("contract-walkthrough", contract_of_tours),
    ("observers", observers),
    ("tools", tools),
];

/// Checks that `docs/contract.md` is what the snapshots say.
fn contract(root: &Path) -> Result<(), Failed> {
    page(root, "contract", "contract", |project| {
        exetrail::cli::document(project, "execve")
    })
}

/// Checks that `docs/contract-execveat.md` is what the snapshots say.
fn contract_of_execveat(root: &Path) -> Result<(), Failed> {
    page(
        root,
        "contract-execveat",
        "contract --call execveat",
        |project| exetrail::cli::document(project, "execveat"),
    )
}

/// Checks that `docs/contract-walkthrough.md` is what the snapshots say.
fn contract_of_tours(root: &Path) -> Result<(), Failed> {
    page(
        root,
        "contract-walkthrough",
        "contract --call walkthrough",
        |project| exetrail::cli::document(project, "walkthrough"),
    )
}

/// Checks that `docs/observers.md` is what the snapshots say.
fn observers(root: &Path) -> Result<(), Failed> {
    page(
        root,
        "observers",
        "observers",
        exetrail::cli::observers_document,
    )
}

/// Checks that `docs/tools.md` is what is accepted of tools.
fn tools(root: &Path) -> Result<(), Failed> {
    page(
        root,
        "tools",
        "observers --tools",
        exetrail::cli::tools_document,
    )
}

/// Checks that a page is what this command writes.
fn page(
    root: &Path,
    name: &str,
    command: &str,
    write: impl Fn(&Project) -> anyhow::Result<String>,
) -> Result<(), Failed> {
    let context = |error| Failed::from(format!("{error:#}"));
    let cache = cache_directory().map_err(context)?;
    let project = Project::open_at(Some(root.to_owned()), cache).map_err(context)?;
    let said = write(&project).map_err(context)?;
    let written = std::fs::read_to_string(root.join(format!("docs/{name}.md"))).unwrap_or_default();
    match said == written {
        true => Ok(()),
        false => Err(format!(
            "docs/{name}.md is not what the snapshots say: write it anew with \
             `exetrail {command} --format markdown > docs/{name}.md`"
        )
        .into()),
    }
}

/// Checks every file below `snapshots/`; the message names all that are wrong.
pub fn check(directory: &Path) -> Result<(), Failed> {
    let problems = problems(directory).map_err(|error| Failed::from(format!("{error:#}")))?;
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n").into()),
    }
}

fn problems(directory: &Path) -> anyhow::Result<Vec<String>> {
    let root = directory.parent().map(Path::to_owned);
    let lineage = Project::open_at(root, cache_directory()?)?.table.lineage();
    let store = Store::Directory(directory.to_owned());
    let mut problems = Vec::new();
    for found in directories(directory, 3)? {
        let relative = found
            .strip_prefix(directory)?
            .to_string_lossy()
            .into_owned();
        let (scenario, name) = relative.rsplit_once('/').unwrap_or((&relative, ""));
        let view = name.parse::<ViewName>().ok().and_then(ViewName::view);
        let registered = Registered::find(scenario);
        let has = |found: &Registered| view.is_some_and(|view| view.applies(found));
        let Some(view) = view.filter(|_| registered.is_some_and(has)) else {
            problems.push(format!(
                "snapshots/{relative} is stale: no scenario has that view"
            ));
            continue;
        };
        let files = match store.load(scenario, view.name()) {
            Ok(files) => files,
            Err(error) => {
                problems.push(format!("{error:#}"));
                continue;
            }
        };
        for id in files
            .keys()
            .filter(|id| !lineage.kernels().any(|known| known == *id))
        {
            problems.push(format!(
                "snapshots/{relative}/{id}.snap is stale: kernel {id} is not in vm/kernels.toml"
            ));
        }
        for id in plan(&lineage, &files, &std::collections::BTreeMap::new()).redundant {
            problems.push(format!(
                "snapshots/{relative}/{id}.snap is redundant: kernel {id} would inherit the same"
            ));
        }
    }
    Ok(problems)
}

/// The directories at a depth below one.
fn directories(directory: &Path, depth: usize) -> anyhow::Result<Vec<PathBuf>> {
    if depth == 0 {
        return Ok(vec![directory.to_owned()]);
    }
    let mut found = Vec::new();
    for path in files::list(directory)? {
        if path.is_dir() {
            found.extend(directories(&path, depth - 1)?);
        }
    }
    Ok(found)
}
