//! Whether a scenario left the fixture as it found it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::files;

/// Every file of a fixture with what would tell that it was changed.
#[derive(Debug)]
pub struct Fixture {
    root: PathBuf,
    files: BTreeMap<PathBuf, Looks>,
}

/// Who else may write files while a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nobody.
    Nobody,
    /// A program that lives on between scenarios, or has lived in this one.
    Program,
}

/// What a file looks like: mode, owner, group, and for what is not a directory inode, size and
/// time.
type Looks = (u32, u32, u32, [u64; 4]);

impl Fixture {
    /// Looks at the file system that this directory is on, and at no other.
    pub fn below(root: &Path) -> Result<Fixture> {
        let context = || format!("failed to look at {}", root.display());
        let device = root.metadata().with_context(context)?.dev();
        let mut files = BTreeMap::new();
        walk(root, device, &mut files)?;
        let root = root.to_owned();
        Ok(Fixture { root, files })
    }

    /// Whether it was there at the beginning.
    pub fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Names the first file that is there and was not, is gone, or is another; nothing where a program beside the scenario
    /// may have written it.
    pub fn compare(&self, beside: Beside) -> Result<()> {
        if beside == Beside::Program {
            return Ok(());
        }
        let now = Fixture::below(&self.root)?.files;
        for (path, looks) in &now {
            match self.files.get(path) {
                None => bail!("the scenario left {}", path.display()),
                Some(before) if before != looks => {
                    bail!("the scenario changed {}", path.display())
                }
                Some(_) => {}
            }
        }
        match self.files.keys().find(|path| !now.contains_key(*path)) {
            Some(path) => bail!("the scenario removed {}", path.display()),
            None => Ok(()),
        }
    }

    /// Removes what is in a directory and was not there before; a user's root may have files there.
    ///
    /// A program beside the scenario may remove some of it, or add to it, meanwhile: then it is as that program has it.
    pub fn clear(&self, directory: &Path, beside: Beside) -> Result<()> {
        for path in files::list(directory)? {
            let known = self.has(&path);
            let is_directory = path.is_dir() && !path.is_symlink();
            if is_directory && known {
                self.clear(&path, beside)?;
                continue;
            }
            let removed = match (is_directory, known) {
                (true, _) => fs::remove_dir_all(&path),
                (false, true) => Ok(()),
                (false, false) => fs::remove_file(&path),
            };
            if beside == Beside::Nobody {
                removed.with_context(|| format!("failed to remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// What was found; none where it has gone while the directory was read.
fn still_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn walk(directory: &Path, device: u64, found: &mut BTreeMap<PathBuf, Looks>) -> Result<()> {
    let context = || format!("failed to look at {}", directory.display());
    let Some(entries) = still_there(fs::read_dir(directory)).with_context(context)? else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.with_context(context)?.path();
        let data = still_there(path.symlink_metadata()).with_context(context)?;
        let Some(data) = data else {
            continue;
        };
        if data.dev() != device {
            continue;
        }
        let content = match data.is_dir() {
            // A directory's size and time change with what comes and goes in it.
            true => [0; 4],
            false => [
                data.ino(),
                data.size(),
                data.mtime().cast_unsigned(),
                data.mtime_nsec().cast_unsigned(),
            ],
        };
        let looks = (data.mode(), data.uid(), data.gid(), content);
        if data.is_dir() {
            walk(&path, device, found)?;
        }
        found.insert(path, looks);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_file_of_another_second_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let file = fs::File::create(directory.path().join("a")).unwrap();
        let device = directory.path().metadata().unwrap().dev();
        let looks = |seconds| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
            let mut found = BTreeMap::new();
            walk(directory.path(), device, &mut found).unwrap();
            found
        };
        assert_ne!(looks(1), looks(2));
    }

    #[test]
    fn what_goes_while_it_is_looked_at_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let mut found = BTreeMap::new();
        walk(&directory.path().join("gone"), 0, &mut found).unwrap();
        assert!(found.is_empty());
    }

    #[test]
    fn a_file_that_an_agent_may_have_written_is_not_laid_to_the_scenario() {
        let directory = tempfile::tempdir().unwrap();
        let before = Fixture::below(directory.path()).unwrap();
        fs::write(directory.path().join("log"), "x").unwrap();
        before.compare(Beside::Program).unwrap();
        let error = before.compare(Beside::Nobody).unwrap_err().to_string();
        assert!(error.starts_with("the scenario left "), "{error}");
    }

    #[test]
    fn what_was_there_before_is_not_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("old")).unwrap();
        fs::write(path("old/own"), "x").unwrap();
        let before = Fixture::below(directory.path()).unwrap();
        fs::write(path("old/new"), "x").unwrap();
        fs::create_dir(path("new")).unwrap();
        before.clear(directory.path(), Beside::Nobody).unwrap();
        assert!(path("old/own").exists());
        assert!(!path("old/new").exists() && !path("new").exists());
    }
}
