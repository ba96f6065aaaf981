//! Roots that were made before, in the cache, with what is to be said of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Built;
use crate::fetch::{Work, own, put_in_place};
use crate::files;
use crate::vm::tree::Tree;

/// How many roots stay in the cache.
const KEPT: usize = 16;

/// A root that was made before, when nobody else could write it; none where there is none that can be read.
pub(super) fn kept_root(kept: &Path) -> Result<Option<Built>> {
    for path in kept.parent().into_iter().chain([kept]) {
        if own::metadata(path)?.is_none() {
            return Ok(None);
        }
    }
    // Another run may have removed it meanwhile, or it is damaged: it is made anew then.
    let Ok(bytes) = fs::read(kept) else {
        return Ok(None);
    };
    let mut tree = Tree::default();
    let whole = tree.read_cpio(bytes.as_slice()).is_ok();
    let notes = notes_of(kept);
    let notes = match own::metadata(&notes)? {
        Some(_) => fs::read_to_string(&notes).unwrap_or_default(),
        None => String::new(),
    };
    Ok(whole.then(|| Built {
        archive: bytes.into(),
        tree,
        notes: notes.lines().map(ToOwned::to_owned).collect(),
    }))
}

/// Where it is kept what is to be said of a root.
fn notes_of(kept: &Path) -> PathBuf {
    kept.with_extension("notes")
}

/// Keeps an archive of a root for the next time, with what is to be said of it.
pub(super) fn keep(bytes: &[u8], notes: &[String], cache: &Path, kept: &Path) -> Result<()> {
    let work = Work::begin(cache)?;
    let put = |name: &str, bytes: &[u8], place: &Path| {
        let new = work.path().join(name);
        let permissions = fs::Permissions::from_mode(0o644);
        fs::write(&new, bytes)
            .and_then(|()| fs::set_permissions(&new, permissions))
            .with_context(|| format!("failed to write {}", new.display()))?;
        put_in_place(&new, place)
    };
    // The archive last: one that is there has its notes.
    if !notes.is_empty() {
        put("root.notes", notes.join("\n").as_bytes(), &notes_of(kept))?;
    }
    put("root.cpio", bytes, kept)?;
    kept.parent().map_or(Ok(()), prune)
}

/// Removes the roots that were not asked for the longest, beyond those that stay.
fn prune(place: &Path) -> Result<()> {
    let archives = files::list(place)?.into_iter();
    let archives = archives.filter(|path| path.extension().is_some_and(|end| end == "cpio"));
    let used = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    let mut archives: Vec<_> = archives.map(|path| (used(&path), path)).collect();
    archives.sort();
    archives.reverse();
    for (_, path) in archives.into_iter().skip(KEPT) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(notes_of(&path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::root::Root;

    #[test]
    fn a_kept_root_can_be_read_by_all_and_one_that_cannot_is_made_anew() {
        let cache = tempfile::tempdir().unwrap();
        let root = Root::default();
        let first = root.build(cache.path()).unwrap();
        let kept = files::list(&cache.path().join("roots")).unwrap();
        assert_eq!(fs::metadata(&kept[0]).unwrap().mode() & 0o777, 0o644);
        assert_eq!(kept_root(&kept[0]).unwrap().unwrap().tree, first.tree);
        assert_eq!(files::list(&cache.path().join("partial")).unwrap().len(), 0);
        fs::write(&kept[0], "cut").unwrap();
        assert_eq!(root.build(cache.path()).unwrap().archive, first.archive);
        assert_eq!(fs::read(&kept[0]).unwrap(), *first.archive);
    }
}
