//! Writes one record.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::view::Record;

/// Keeps a record in a folder; one of the same scenario and kernel is replaced.
///
/// # Errors
///
/// The folder cannot be written.
pub fn keep(folder: &Path, record: &Record) -> Result<()> {
    let folder = folder.join(&record.scenario);
    let file = folder.join(format!("{}.json", record.kernel.label()));
    let context = || format!("failed to keep the record {}", file.display());
    fs::create_dir_all(&folder).with_context(context)?;
    // A run that is killed leaves no half of a record: readers skip hidden files.
    let partial = folder.join(format!(".{}.partial", record.kernel.label()));
    let text = serde_json::to_string(record).with_context(context)? + "\n";
    fs::write(&partial, text).with_context(context)?;
    fs::rename(&partial, &file).with_context(context)
}
