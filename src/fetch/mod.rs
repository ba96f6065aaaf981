//! From the tables to the cache: kernels and the fixture, out of Debian packages.
//!
//! `vm/setup` calls it through `exetrail fetch`. A package that the lock names is downloaded by its
//! place in the archive and checked against the lock's sha256, so that no list is needed; only
//! when it is gone are the signed lists read and the newest of its series taken, which is then
//! said with every result. Whatever is made is made beside its place and renamed when whole.

mod apt;
mod deb;
mod elf;
mod fixture;
mod kernel;
mod lock;
mod mirror;
mod resolve;

pub use fixture::{Fixture, FixtureTable, fetch_fixture, load_fixture};
pub use kernel::{CachedKernel, fetch_kernel, load_kernel};
pub use lock::{Lock, Pinned};
pub use resolve::Archive;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A folder for one piece of work, inside the cache so that its result can be renamed into place.
///
/// It goes away with its owner; what a killed run left behind is removed by the next one.
fn work_folder(cache: &Path) -> Result<tempfile::TempDir> {
    let parent = cache.join("work");
    fs::create_dir_all(&parent).with_context(|| {
        format!(
            "failed to make {}: is EXETRAIL_CACHE right?",
            parent.display()
        )
    })?;
    tempfile::Builder::new()
        .prefix(&format!("{}-", std::process::id()))
        .tempdir_in(&parent)
        .with_context(|| format!("failed to make a folder in {}", parent.display()))
}

/// Removes the work of runs that were killed: folders whose process is gone.
///
/// # Errors
///
/// The cache cannot be read or a folder cannot be removed.
pub fn clean_up(cache: &Path) -> Result<()> {
    let parent = cache.join("work");
    let Ok(entries) = fs::read_dir(&parent) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("failed to list {}", parent.display()))?
            .path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let alive = name
            .split('-')
            .next()
            .is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !alive {
            fs::remove_dir_all(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Puts a finished folder in the place of an old one.
fn replace_folder(new: &Path, place: &Path) -> Result<()> {
    let context = || format!("failed to put {} in place", place.display());
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).with_context(context)?;
    }
    if place.exists() {
        let old = new.with_extension("old");
        fs::rename(place, &old).with_context(context)?;
    }
    fs::rename(new, place).with_context(context)
}
