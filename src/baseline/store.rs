//! The snapshot files: those of the checkout, or the copies that were built into the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Result, bail};

use crate::bound;
use crate::files;
use crate::trail::KernelId;
use crate::view::ViewName;

use super::read_snapshot;

/// All snapshots of the build, as build.rs has put them together.
static EMBEDDED: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| pairs(include_bytes!(concat!(env!("OUT_DIR"), "/snapshots.bin"))));

/// Names and contents behind the first byte, each with its length before it.
fn pairs(all: &[u8]) -> Vec<(&str, &str)> {
    let mut bytes = all.get(1..).unwrap_or_default();
    let mut part = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        std::str::from_utf8(text).ok()
    };
    let mut pairs = Vec::new();
    while let Some(pair) = part().zip(part()) {
        pairs.push(pair);
    }
    pairs
}

/// The accepted texts of one view of one scenario, by kernel.
pub type Baselines = BTreeMap<KernelId, String>;

/// Where snapshots come from.
#[derive(Clone, Debug)]
pub enum Store {
    /// The `snapshots` directory of a checkout.
    Directory(PathBuf),
    /// What the binary was built with.
    Embedded,
    /// Nothing is accepted.
    Empty,
}

impl Store {
    /// The accepted snapshots of one view of a scenario.
    ///
    /// # Errors
    ///
    /// A damaged file, or one whose name is not a kernel; pending files (`.snap.new`) are not read.
    pub fn load(&self, scenario: &str, view: ViewName) -> Result<Baselines> {
        match self {
            Store::Directory(root) => load_directory(&root.join(scenario).join(view), view),
            Store::Empty => Ok(Baselines::new()),
            Store::Embedded => {
                let prefix = format!("{scenario}/{view}/");
                let own = EMBEDDED.iter().filter_map(|(path, content)| {
                    Some((path.strip_prefix(&prefix)?, path, content))
                });
                own.map(|(name, path, content)| entry(name, path, content, view))
                    .collect()
            }
        }
    }
}

/// The scenarios that have snapshots in this directory: the names of their own directories from there.
///
/// # Errors
///
/// A directory cannot be read.
pub fn scenarios(root: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for path in files::list(&directory)? {
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                left.push(path);
            } else if files::name(&path).ends_with(".snap") {
                // The directory is a view's, the one above it the scenario's.
                let name = directory
                    .parent()
                    .and_then(|own| own.strip_prefix(root).ok());
                found.extend(name.map(|name| name.display().to_string()));
            }
        }
    }
    Ok(found)
}

fn load_directory(directory: &Path, view: ViewName) -> Result<Baselines> {
    let mut baselines = BTreeMap::new();
    for path in files::list(directory)? {
        let name = files::name(&path);
        if name.ends_with(".snap.new") || name.starts_with('.') {
            continue;
        }
        let content = bound::text(&path, bound::TEXT)?;
        let (id, text) = entry(&name, &path.display().to_string(), &content, view)?;
        baselines.insert(id, text);
    }
    Ok(baselines)
}

fn entry(name: &str, path: &str, content: &str, view: ViewName) -> Result<(KernelId, String)> {
    let Some(id) = name.strip_suffix(".snap").and_then(|id| id.parse().ok()) else {
        bail!(
            "{path} is not a snapshot of a kernel: its name should be a series, such as 6.12.snap"
        );
    };
    Ok((id, read_snapshot(content, path, view)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::TRAIL;

    fn store(files: &[(&str, &str)]) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("start/a/trail");
        std::fs::create_dir_all(&directory).unwrap();
        for (name, content) in files {
            std::fs::write(directory.join(name), content).unwrap();
        }
        let store = Store::Directory(dir.path().to_owned());
        (dir, store)
    }

    const GOOD: &str = "---\nsource: x\n---\nstart p1 by launcher: execve /a\n";

    #[test]
    fn every_accepted_snapshot_is_as_its_view_writes_it() {
        for (path, content) in EMBEDDED.iter() {
            let view = path.rsplit('/').nth(1).unwrap();
            let known = crate::view::VIEWS
                .iter()
                .find(|known| known.name().as_str() == view);
            let read = read_snapshot(content, path, known.unwrap().name());
            assert!(read.is_ok(), "{:#}", read.unwrap_err());
        }
    }

    #[test]
    fn a_scenario_without_snapshots_has_no_baselines() {
        let (_dir, store) = store(&[]);
        assert!(store.load("start/none", TRAIL).unwrap().is_empty());
    }

    #[test]
    fn a_scenario_has_snapshots_where_a_view_of_it_has_one() {
        let (dir, _) = store(&[("6.12.snap", GOOD)]);
        std::fs::create_dir_all(dir.path().join("start/b/trail")).unwrap();
        let found = scenarios(dir.path()).unwrap();
        assert_eq!(found, BTreeSet::from(["start/a".to_owned()]));
    }

    /// How many snapshots there are below a directory.
    fn count(directory: &Path) -> usize {
        let paths = files::list(directory).unwrap().into_iter();
        let own = paths.map(|path| match path.is_dir() {
            true => count(&path),
            false => usize::from(files::name(&path).ends_with(".snap")),
        });
        own.sum()
    }

    #[test]
    fn what_was_built_in_is_what_the_checkout_has() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
        assert_eq!(EMBEDDED.len(), count(&root));
        for (name, content) in EMBEDDED.iter() {
            let file = std::fs::read_to_string(root.join(name)).unwrap();
            assert!(file == *content, "{name}");
        }
    }

    #[test]
    fn what_is_cut_is_left_out() {
        let whole = [0xff, 1, 0, 0, 0, b'a', 2, 0, 0, 0, b'b', b'c'];
        assert_eq!(pairs(&whole), [("a", "bc")]);
        assert_eq!(pairs(&whole[..11]), []);
    }

    #[test]
    fn pending_snapshots_are_not_read() {
        let (_dir, store) = store(&[("6.1.snap", GOOD), ("6.12.snap.new", "junk")]);
        assert_eq!(store.load("start/a", TRAIL).unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_named_for_no_kernel_is_an_error_with_its_name() {
        let (_dir, store) = store(&[("six.snap", GOOD)]);
        let error = store.load("start/a", TRAIL).unwrap_err().to_string();
        assert!(
            error.contains("six.snap is not a snapshot of a kernel"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_name() {
        let (_dir, store) = store(&[("6.1.snap", "junk")]);
        let error = store.load("start/a", TRAIL).unwrap_err().to_string();
        assert!(
            error.contains("6.1.snap: the snapshot is damaged"),
            "{error}"
        );
    }
}
