//! Whether a scenario left the fixture as it found it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Every file of the fixture with what would tell that it was changed.
#[derive(Debug)]
pub struct Fixture(BTreeMap<PathBuf, Looks>);

/// What a file looks like: mode, owner, group, and for what is not a directory inode, size and
/// time.
type Looks = (u32, u32, u32, [u64; 4]);

impl Fixture {
    /// Looks at the file system that `/` is on, and at no other.
    pub fn look() -> Result<Fixture> {
        let root = Path::new("/");
        let device = root.metadata().context("failed to look at /")?.dev();
        let mut found = BTreeMap::new();
        walk(root, device, &mut found)?;
        Ok(Fixture(found))
    }

    /// Whether it was there at the beginning.
    pub fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// Names the first file that is there and was not, is gone, or is another.
    pub fn compare(&self) -> Result<()> {
        let Fixture(now) = Fixture::look()?;
        for (path, looks) in &now {
            match self.0.get(path) {
                None => bail!("the scenario left {}", path.display()),
                Some(before) if before != looks => {
                    bail!("the scenario changed {}", path.display())
                }
                Some(_) => {}
            }
        }
        match self.0.keys().find(|path| !now.contains_key(*path)) {
            Some(path) => bail!("the scenario removed {}", path.display()),
            None => Ok(()),
        }
    }
}

fn walk(directory: &Path, device: u64, found: &mut BTreeMap<PathBuf, Looks>) -> Result<()> {
    let context = || format!("failed to look at {}", directory.display());
    for entry in fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let data = path.symlink_metadata().with_context(context)?;
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
}
