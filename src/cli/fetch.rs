//! `exetrail fetch`: fills the cache.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context as _, Result, bail};

use crate::fetch::{Releases, Trust, clean_up, fetch_fixture, fetch_kernel, prepare_root};
use crate::project::Project;
use crate::trail::KernelId;
use crate::vm::table::{KernelEntry, Table};

/// Arguments of `exetrail fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kernels to fetch, such as 6.12; `fixture` for the fixture alone [default: all]
    #[arg(value_name = "KERNEL")]
    kernels: Vec<String>,
    /// Take the newest releases and pin them in the locks of this checkout
    #[arg(long)]
    update: bool,
    /// Leave the fixture as it is
    #[arg(long)]
    no_fixture: bool,
}

/// Fetches what is missing; quick when nothing is.
pub fn main(args: &Args) -> Result<ExitCode> {
    let wanted = wanted(args)?;
    let project = Project::open()?;
    // A name that is wrong is told before anything is fetched.
    let entries = match wanted.kernels {
        true => chosen(&project.table, &args.kernels)?,
        false => Vec::new(),
    };
    let releases = match args.update {
        true => Releases::Newest,
        false => Releases::Pinned,
    };
    if releases == Releases::Newest && project.root.is_none() {
        bail!("--update writes the locks of a checkout: call it inside of one");
    }
    std::fs::create_dir_all(&project.cache)
        .with_context(|| format!("failed to make the cache {}", project.cache.display()))?;
    for path in clean_up(&project.cache)? {
        tell!(
            "{} is no work of this version and stays where it is; nothing needs it",
            path.display()
        );
    }
    let mut fetched = 0;
    let mut there = Vec::new();
    if wanted.fixture {
        fetched += usize::from(fixture(&project, releases)?);
        there.push("the fixture".to_owned());
    }
    if wanted.kernels {
        fetched += kernels(&project, &entries, releases)?;
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.to_string()).collect();
        there.push(ids.join(", "));
    }
    if fetched == 0 {
        tell!(
            "nothing to fetch, all is there and whole: {}",
            there.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// What is fetched.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    fixture: bool,
    kernels: bool,
}

fn wanted(args: &Args) -> Result<Wanted> {
    let is_fixture = |name: &String| name == "fixture";
    let named = args.kernels.iter().any(is_fixture);
    if named && args.no_fixture {
        bail!("the fixture is named, and --no-fixture leaves it as it is: say one of them");
    }
    let all = args.kernels.is_empty();
    Ok(Wanted {
        fixture: !args.no_fixture && (all || named || !args.update),
        kernels: all || !args.kernels.iter().all(is_fixture),
    })
}

/// Each kernel that is named, once; all for none.
fn chosen<'a>(table: &'a Table, names: &[String]) -> Result<Vec<&'a KernelEntry>> {
    let names: Vec<_> = names.iter().filter(|name| *name != "fixture").collect();
    if names.is_empty() {
        return Ok(table.kernels.iter().collect());
    }
    let find = |name: &&String| {
        let id: Option<KernelId> = name.parse().ok();
        id.and_then(|id| table.find(&id)).with_context(|| {
            format!(
                "there is no kernel \"{name}\" in vm/kernels.toml: it has {}",
                table.ids()
            )
        })
    };
    let mut chosen: Vec<&KernelEntry> = Vec::new();
    for entry in names.iter().map(find) {
        let entry = entry?;
        if !chosen.iter().any(|known| known.id == entry.id) {
            chosen.push(entry);
        }
    }
    Ok(chosen)
}

/// Whether it was fetched.
fn fixture(project: &Project, releases: Releases) -> Result<bool> {
    match project.fixture_with(Trust::Nothing) {
        Ok(Some(_)) if releases == Releases::Pinned => return Ok(false),
        Ok(_) => {}
        Err(error) => tell!("fixture: fetched again: {error:#}"),
    }
    tell!(
        "fixture: fetching {} packages",
        project.fixture.packages.len()
    );
    let lock = &project.fixture_lock;
    let taken = fetch_fixture(&project.cache, &project.fixture, lock, releases)?;
    if releases == Releases::Newest
        && let Some(root) = &project.root
    {
        lock.clone()
            .replace("fixture", taken, &root.join("vm/fixture.lock"))?;
        tell!("fixture: pinned in vm/fixture.lock");
    } else if let Some(note) = project.fixture()?.substituted {
        tell!("fixture: {note}");
    }
    Ok(true)
}

/// Verifies and fetches kernels side by side; returns how many were fetched.
fn kernels(project: &Project, entries: &[&KernelEntry], releases: Releases) -> Result<usize> {
    let lock = Mutex::new(project.kernels.clone());
    let queue = Mutex::new(entries.iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let failures = Mutex::new(Vec::new());
    let fetched = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(entry) = next() {
                    match kernel(project, entry, releases, &lock) {
                        Ok(new) => drop(fetched.fetch_add(usize::from(new), Relaxed)),
                        Err(error) => {
                            tell!("kernel {}: {error:#}", entry.id);
                            failures
                                .lock()
                                .into_iter()
                                .for_each(|mut list| list.push(&entry.id));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    if !failures.is_empty() {
        let ids: Vec<_> = failures.iter().map(ToString::to_string).collect();
        bail!(
            "failed to fetch {}; what was fetched is kept, run it again to go on",
            ids.join(", ")
        );
    }
    Ok(fetched.into_inner())
}

/// Whether it was fetched.
fn kernel(
    project: &Project,
    entry: &KernelEntry,
    releases: Releases,
    lock: &Mutex<crate::fetch::Lock>,
) -> Result<bool> {
    let of = entry.id.to_string();
    // For who reads sources by docs/kernels.md; without apt there is none to prepare.
    let _ = prepare_root(&project.cache, &entry.suites);
    match project.kernel_with(&entry.id, Trust::Nothing) {
        Ok(Some(_)) if releases == Releases::Pinned => return Ok(false),
        Ok(_) => tell!("kernel {of}: fetching"),
        Err(error) => tell!("kernel {of}: fetched again: {error:#}"),
    }
    let pinned = project.kernels.of(&of);
    let taken = fetch_kernel(&project.cache, &project.table, entry, &pinned, releases)?;
    let Some(first) = taken.first() else {
        return Ok(true);
    };
    tell!("kernel {of}: {} {}", first.name, first.version);
    if releases == Releases::Newest
        && let Some(root) = &project.root
    {
        if let Ok(mut lock) = lock.lock() {
            lock.replace(&of, taken, &root.join("vm/kernels.lock"))?;
        }
    } else if let Some(note) = project
        .kernel(&entry.id)?
        .and_then(|kernel| kernel.substituted)
    {
        tell!("{note}");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(names: &[&str]) -> Args {
        Args {
            kernels: names.iter().map(|name| (*name).to_owned()).collect(),
            update: false,
            no_fixture: false,
        }
    }

    #[test]
    fn the_fixture_alone_is_that_however_often_it_is_named() {
        for names in [&["fixture"] as &[_], &["fixture", "fixture"]] {
            let expected = Wanted {
                fixture: true,
                kernels: false,
            };
            assert_eq!(wanted(&args(names)).unwrap(), expected);
        }
        assert!(wanted(&args(&["fixture", "6.12"])).unwrap().kernels);
        assert!(wanted(&args(&[])).unwrap().kernels);
    }

    #[test]
    fn the_fixture_is_not_named_and_left_as_it_is() {
        let args = Args {
            no_fixture: true,
            ..args(&["fixture"])
        };
        let error = wanted(&args).unwrap_err().to_string();
        assert!(error.contains("--no-fixture"), "{error}");
    }

    #[test]
    fn a_kernel_that_is_named_twice_is_fetched_once() {
        let text = include_str!("../../vm/kernels.toml");
        let table = Table::parse(text, "vm/kernels.toml").unwrap();
        let names = ["6.12", "fixture", "6.12"].map(ToOwned::to_owned);
        assert_eq!(chosen(&table, &names).unwrap().len(), 1);
    }
}
