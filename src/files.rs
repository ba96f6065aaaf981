//! What a directory holds, for everybody who walks one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The paths in a directory, in the order of their names; none for a directory that does not exist.
///
/// # Errors
///
/// The directory cannot be read; the message names it.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("failed to list {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(context),
    };
    let paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.with_context(context)?;
    paths.sort();
    Ok(paths)
}

/// The last part of a path as text.
#[must_use]
pub fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
