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
mod package;
mod resolve;

pub use fixture::{Fixture, FixtureTable, fetch_fixture, load_fixture};
pub use kernel::{CachedKernel, fetch_kernel, load_kernel};
pub use lock::{Lock, Pinned};
pub use package::{KernelPackage, read_kernel_package, read_module};
pub use resolve::Archive;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::files;

/// A folder for one piece of work, inside the cache so that its result can be renamed into place.
///
/// It goes away with its owner; what a killed run left behind is removed by the next one.
fn work_folder(cache: &Path) -> Result<tempfile::TempDir> {
    let parent = cache.join("partial");
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
    for path in files::list(&cache.join("partial"))? {
        let name = files::name(&path);
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

/// What a folder of the cache says of itself; none when it is not there.
fn read_description<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to read {}", file.display()));
        }
    };
    let description = serde_json::from_str(&text).with_context(|| {
        let folder = file.parent().unwrap_or(file);
        format!(
            "failed to read {}: remove {}",
            file.display(),
            folder.display()
        )
    })?;
    Ok(Some(description))
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
