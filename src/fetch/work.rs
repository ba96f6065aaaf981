//! Work in progress: a directory below `partial/` in the cache, held by a lock while it is made.
//!
//! A lock (flock(2)) ends with its holder, however that ends, and is seen across pid namespaces, so
//! two containers can share a cache. Only a directory whose lock is free, or not made yet, is
//! somebody's who was killed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};

use super::own;
use crate::files;

const PREFIX: &str = "work-";
const LOCK: &str = "lock";

/// A directory for one piece of work, on the file system of the cache so that its result can be
/// renamed into place. It is removed with its owner.
#[derive(Debug)]
pub struct Work {
    // In this order: the directory is gone before its lock is free.
    directory: tempfile::TempDir,
    _lock: File,
}

impl Work {
    /// Makes a directory and takes its lock.
    ///
    /// # Errors
    ///
    /// The cache cannot be written, is another's, or its file system has no locks.
    pub fn begin(cache: &Path) -> Result<Work> {
        let parent = parent(cache)?;
        // A directory that is not locked yet is nobody's: no clean-up between these two steps.
        let _gate = gate(cache)?;
        let context = || format!("failed to make a directory in {}", parent.display());
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .with_context(context)?;
        let lock = File::create_new(directory.path().join(LOCK)).with_context(context)?;
        lock.lock().with_context(context)?;
        Ok(Work {
            directory,
            _lock: lock,
        })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes the work of those who were killed; returns what is in the way and is no work of ours.
///
/// # Errors
///
/// The cache cannot be read, is another's, or a directory cannot be removed.
pub fn clean_up(cache: &Path) -> Result<Vec<PathBuf>> {
    let parent = parent(cache)?;
    let _gate = gate(cache)?;
    let mut strange = Vec::new();
    for path in files::list(&parent)? {
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        if !is_directory || !files::name(&path).starts_with(PREFIX) {
            strange.push(path);
        } else if is_abandoned(&path)? {
            fs::remove_dir_all(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(strange)
}

/// Puts a finished directory in the place of an old one, at once where the file system can exchange them.
///
/// # Errors
///
/// The cache cannot be written.
pub fn put_in_place(new: &Path, place: &Path) -> Result<()> {
    let context = || format!("failed to put {} in place", place.display());
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).with_context(context)?;
    }
    let rename = |flags| renameat2(AT_FDCWD, new, AT_FDCWD, place, flags);
    if fs::symlink_metadata(place).is_err() {
        return fs::rename(new, place).with_context(context);
    }
    if rename(RenameFlags::RENAME_EXCHANGE).is_ok() {
        // The old one is where the new one was, and goes away with the work.
        return Ok(());
    }
    // Not every file system can exchange (rename(2), EINVAL).
    fs::rename(place, new.with_extension("old")).with_context(context)?;
    fs::rename(new, place).with_context(context)
}

/// `partial/`, which must be a directory of its own: what is in it is removed.
fn parent(cache: &Path) -> Result<PathBuf> {
    let parent = cache.join("partial");
    own::metadata(cache)?;
    fs::create_dir_all(cache)
        .and_then(|()| match fs::create_dir(&parent) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        })
        .with_context(|| {
            format!(
                "failed to make {}: is EXETRAIL_CACHE right?",
                parent.display()
            )
        })?;
    let found = fs::symlink_metadata(&parent)
        .with_context(|| format!("failed to read {}", parent.display()))?;
    if !found.is_dir() {
        bail!(
            "{} is not a directory, but {}: it is where unfinished work is made and removed, so \
             remove it yourself",
            parent.display(),
            if found.is_symlink() {
                "a symlink"
            } else {
                "a file"
            }
        );
    }
    own::metadata(&parent)?;
    Ok(parent)
}

/// The lock that is held while directories are made and removed.
fn gate(cache: &Path) -> Result<File> {
    let path = cache.join("partial.lock");
    let context = || format!("failed to lock {}", path.display());
    let file = open(&path, OpenOptions::new().create(true)).with_context(context)?;
    file.lock().with_context(context)?;
    Ok(file)
}

fn is_abandoned(work: &Path) -> Result<bool> {
    let path = work.join(LOCK);
    let context = || format!("failed to lock {}", path.display());
    let file = match open(&path, &mut OpenOptions::new()) {
        Ok(file) => file,
        // Its owner was killed before it made one: we hold the gate.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error).with_context(context),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).with_context(context),
    }
}

/// Opens a lock for writing, as a lock over NFS wants it; never through a symlink.
fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    options
        .write(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_held_stays_and_work_whose_lock_is_free_goes() {
        let cache = tempfile::tempdir().unwrap();
        let held = Work::begin(cache.path()).unwrap();
        let free = cache.path().join("partial/work-free");
        fs::create_dir(&free).unwrap();
        fs::write(free.join(LOCK), "").unwrap();
        let unlocked = cache.path().join("partial/work-unlocked");
        fs::create_dir(&unlocked).unwrap();
        assert!(clean_up(cache.path()).unwrap().is_empty());
        assert!(held.path().exists() && !free.exists() && !unlocked.exists());
    }

    #[test]
    fn finished_work_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        drop(Work::begin(cache.path()).unwrap());
        assert!(
            files::list(&cache.path().join("partial"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_symlink_in_the_place_of_partial_is_an_error_and_its_target_stays() {
        let cache = tempfile::tempdir().unwrap();
        let precious = tempfile::tempdir().unwrap();
        fs::create_dir(precious.path().join("work-mine")).unwrap();
        std::os::unix::fs::symlink(precious.path(), cache.path().join("partial")).unwrap();
        let error = clean_up(cache.path()).unwrap_err().to_string();
        assert!(
            error.contains("partial is not a directory, but a symlink"),
            "{error}"
        );
        assert!(Work::begin(cache.path()).is_err());
        assert!(precious.path().join("work-mine").exists());
    }

    #[test]
    fn what_is_no_work_of_ours_is_left_alone_and_blocks_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let partial = cache.path().join("partial");
        fs::create_dir_all(partial.join("mine")).unwrap();
        fs::write(partial.join("work-file"), "").unwrap();
        std::os::unix::fs::symlink("/", partial.join("work-link")).unwrap();
        let strange = clean_up(cache.path()).unwrap();
        assert_eq!(strange.len(), 3);
        assert!(strange.iter().all(|path| path.symlink_metadata().is_ok()));
        Work::begin(cache.path()).unwrap();
    }

    #[test]
    fn a_finished_directory_takes_the_place_of_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (new, place) = (dir.path().join("new"), dir.path().join("sub/place"));
        for content in ["one", "two"] {
            fs::create_dir_all(&new).unwrap();
            fs::write(new.join("x"), content).unwrap();
            put_in_place(&new, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("x")).unwrap(), content);
        }
        assert_eq!(fs::read_to_string(new.join("x")).unwrap(), "one");
    }
}
