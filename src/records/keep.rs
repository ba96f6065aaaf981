//! Writes one record.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::files;
use crate::view::Record;

/// Keeps a record in a directory; one of the same scenario and kernel is replaced.
///
/// A run that is killed leaves no half of a record: readers skip hidden files.
///
/// # Errors
///
/// The directory cannot be written.
pub fn keep(directory: &Path, record: &Record) -> Result<()> {
    let directory = directory.join(&record.scenario);
    let file = directory.join(format!("{}.json", record.kernel.label()));
    let context = || format!("failed to keep the record {}", file.display());
    fs::create_dir_all(&directory).with_context(context)?;
    let text = serde_json::to_string(record).with_context(context)? + "\n";
    files::replace(&file, text.as_bytes())
}
