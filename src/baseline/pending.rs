//! Pending snapshots: what a plan asks for, written where `cargo insta review` finds it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Plan;
use crate::files;

/// What the harness writes as the place of its assertion; the review shows it.
const HEADER: &str = "---\nsource: harness/settle.rs\n---\n";

/// Writes a plan's files as pending (`.snap.new`) into the directory of one view of one scenario.
///
/// Pending files of an earlier run that the plan does not ask for go away, once all that it asks for is there. Returns
/// what was written.
///
/// # Errors
///
/// The directory cannot be written; no pending file is lost then.
pub fn write_pending(directory: &Path, plan: &Plan) -> Result<Vec<PathBuf>> {
    let context = || {
        format!(
            "failed to write pending snapshots in {}",
            directory.display()
        )
    };
    let mut written = Vec::new();
    for (id, text) in &plan.write {
        fs::create_dir_all(directory).with_context(context)?;
        let path = directory.join(format!("{id}.snap.new"));
        files::replace(&path, format!("{HEADER}{text}").as_bytes())?;
        written.push(path);
    }
    for path in files::list(directory)? {
        if files::name(&path).ends_with(".snap.new") && !written.contains(&path) {
            fs::remove_file(&path).with_context(context)?;
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_left_stays_where_the_new_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("6.1.snap.new"), "old").unwrap();
        // In the place where the file is made.
        fs::create_dir(dir.path().join(".6.12.snap.new.partial")).unwrap();
        let mut plan = Plan::default();
        plan.write.insert("6.12".parse().unwrap(), "a\n".into());
        write_pending(dir.path(), &plan).unwrap_err();
        assert!(dir.path().join("6.1.snap.new").exists());
    }

    #[test]
    fn what_the_plan_asks_for_replaces_what_an_earlier_run_left() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("6.1.snap.new"), "old").unwrap();
        fs::write(dir.path().join("5.10.snap"), "kept").unwrap();
        let mut plan = Plan::default();
        plan.write.insert("6.12".parse().unwrap(), "a\n".into());
        let written = write_pending(dir.path(), &plan).unwrap();
        assert_eq!(written, [dir.path().join("6.12.snap.new")]);
        assert!(!dir.path().join("6.1.snap.new").exists());
        assert!(dir.path().join("5.10.snap").exists());
    }
}
