//! What is accepted, snapshots and reports of tools: nothing damaged, stale or redundant. Boots nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use exetrail::baseline::{Lineage, Store, plan};
use exetrail::files;
use exetrail::project::{Project, cache_directory};
use exetrail::scenario::Registered;
use exetrail::trail::KernelId;
use exetrail::view::{AGENT, ViewName};
use libtest_mimic::Failed;

/// Checks a page of the documentation, below this directory.
type Check = fn(&Path) -> Result<(), Failed>;

/// The pages that are generated from the snapshots.
pub const PAGES: [(&str, Check); 5] = [
    ("contract", contract),
    ("contract-execveat", contract_of_execveat),
    ("contract-walkthrough", contract_of_tours),
    ("observers", observers),
    ("tools", page_of_tools),
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
fn page_of_tools(root: &Path) -> Result<(), Failed> {
    page(
        root,
        "tools",
        "observers --tools",
        exetrail::cli::tools_document,
    )
}

fn project(root: &Path) -> Result<Project> {
    Project::open_at(Some(root.to_owned()), cache_directory()?)
}

/// Checks that a page is what this command writes.
fn page(
    root: &Path,
    name: &str,
    command: &str,
    write: impl Fn(&Project) -> Result<String>,
) -> Result<(), Failed> {
    let context = |error| Failed::from(format!("{error:#}"));
    let project = project(root).map_err(context)?;
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
pub fn snapshots(root: &Path) -> Result<(), Failed> {
    told(of_snapshots(root))
}

/// Checks every file below `tools/`; the message names all that are wrong.
pub fn tools(root: &Path) -> Result<(), Failed> {
    told(of_tools(root))
}

fn told(problems: Result<Vec<String>>) -> Result<(), Failed> {
    let problems = problems.map_err(|error| Failed::from(format!("{error:#}")))?;
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n").into()),
    }
}

fn of_snapshots(root: &Path) -> Result<Vec<String>> {
    let lineage = project(root)?.table.lineage();
    let kernels: Vec<_> = lineage.kernels().cloned().collect();
    let accepted = Accepted {
        place: root.join("snapshots"),
        name: "snapshots".to_owned(),
        kernels: &kernels,
        lineage: &lineage,
        applies: |scenario, view| view.view().is_some_and(|view| view.applies(scenario)),
    };
    accepted.problems()
}

fn of_tools(root: &Path) -> Result<Vec<String>> {
    let project = project(root)?;
    let (lineage, table) = (project.table.lineage(), project.tools()?);
    let mut problems = Vec::new();
    for place in files::list(&root.join("tools"))? {
        let tool = files::name(&place);
        let name = format!("tools/{tool}");
        if table.tools.iter().all(|known| known.name != tool) {
            problems.push(format!("{name} is stale: vm/tools.toml has no such tool"));
            continue;
        }
        let accepted = Accepted {
            name,
            place,
            kernels: &table.kernels,
            lineage: &lineage,
            applies: |scenario, view| view == AGENT && scenario.is_start(),
        };
        problems.extend(accepted.problems()?);
    }
    Ok(problems)
}

/// Reports that are accepted: a file for a kernel, below scenario and view.
struct Accepted<'a> {
    place: PathBuf,
    /// The same below the checkout.
    name: String,
    /// The kernels that are run.
    kernels: &'a [KernelId],
    lineage: &'a Lineage,
    /// Whether a scenario has a view.
    applies: fn(&Registered, ViewName) -> bool,
}

impl Accepted<'_> {
    fn problems(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for found in directories(&self.place, 3)? {
            let relative = found.strip_prefix(&self.place)?.to_string_lossy();
            let (scenario, view) = relative.rsplit_once('/').unwrap_or((&relative, ""));
            let name = format!("{}/{relative}", self.name);
            let registered = Registered::find(scenario);
            let view = view.parse::<ViewName>().ok();
            let has =
                |view: &ViewName| registered.is_some_and(|found| (self.applies)(found, *view));
            match view.filter(has) {
                None => problems.push(format!("{name} is stale: no scenario has that view")),
                Some(view) => problems.extend(self.of_view(scenario, view, &name)),
            }
        }
        Ok(problems)
    }

    fn of_view(&self, scenario: &str, view: ViewName, name: &str) -> Vec<String> {
        let files = match Store::Directory(self.place.clone()).load(scenario, view) {
            Ok(files) => files,
            Err(error) => return vec![format!("{error:#}")],
        };
        let stale = files.keys().filter(|id| !self.kernels.contains(id));
        let stale = stale.map(|id| format!("{name}/{id}.snap is stale: kernel {id} is not run"));
        let redundant = plan(self.lineage, &files, &BTreeMap::new()).redundant;
        let redundant = redundant
            .into_iter()
            .map(|id| format!("{name}/{id}.snap is redundant: kernel {id} would inherit the same"));
        stale.chain(redundant).collect()
    }
}

/// The directories at a depth below one.
fn directories(directory: &Path, depth: usize) -> Result<Vec<PathBuf>> {
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
