//! What an entry of the cache holds, and whether it still does.
//!
//! When an entry is made, the size and the SHA-256 of each of its files are written into its
//! description. Whoever uses it checks them; what costs time is hashing, so a file whose [`Stamp`] is
//! the one that it had when it was hashed last is not hashed again, unless [`Trust`] says so. The stamps
//! are in a file of their own beside the description. They save time and are no promise: an entry without
//! them is hashed.

use std::collections::BTreeMap;
use std::fs::{Metadata, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::checksum::{self, Checksum};
use super::own;
use crate::below::Below;
use crate::bound;
use crate::files;

/// Where the stamps of an entry are.
const STAMPS: &str = "stamps.json";

/// The files of an entry by their names in it, with their checksums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents(BTreeMap<String, Checksum>);

/// How far a stamp is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A file whose stamp is the same is the same.
    Stamps,
    /// Every byte is read again.
    Nothing,
}

/// What changes with a file's content: nobody but root and the clock sets the time of change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Stamp {
        Stamp {
            size: found.size(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Contents {
    /// Hashes every file of a new entry and writes their stamps.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the stamps cannot be written.
    pub fn of(directory: &Path) -> Result<Contents> {
        let mut sums = BTreeMap::new();
        let mut left = vec![directory.to_owned()];
        while let Some(below) = left.pop() {
            for path in files::list(&below)? {
                if path.is_dir() {
                    left.push(path);
                } else if let Some(name) = path.strip_prefix(directory).ok().and_then(Path::to_str)
                {
                    sums.insert(name.to_owned(), Checksum::of(&path)?);
                }
            }
        }
        let contents = Contents(sums);
        write_stamps(directory, &contents.stamps(directory)?)?;
        Ok(contents)
    }

    /// One SHA-256 of all files, by names and checksums, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (name, checksum) in &self.0 {
            digest.update(format!("{}  {name}\n", checksum.sha256));
        }
        checksum::hexadecimal(&digest.finalize())
    }

    /// The names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Checks that each file is ours or root's and what it was when it was fetched.
    ///
    /// # Errors
    ///
    /// The first file that is not, with its path and what is wrong with it.
    pub fn verify(&self, directory: &Path, trust: Trust) -> Result<()> {
        if self.0.is_empty() {
            bail!(
                "{} was fetched by a version that kept no checksums",
                directory.display()
            );
        }
        let now = self.stamps(directory)?;
        let known = match trust {
            Trust::Stamps => read_stamps(directory),
            Trust::Nothing => BTreeMap::new(),
        };
        for (name, sum) in &self.0 {
            if known.contains_key(name) && known.get(name) == now.get(name) {
                continue;
            }
            let path = directory.join(name);
            Checksum::of(&path)?
                .expect(sum)
                .with_context(|| format!("{} is damaged", path.display()))?;
        }
        if known != now {
            // A cache that cannot be written is hashed each time, which costs time alone.
            let _ = write_stamps(directory, &now);
        }
        Ok(())
    }

    fn stamps(&self, directory: &Path) -> Result<BTreeMap<String, Stamp>> {
        let stamp = |name: &String| {
            let path = Below::parse(name)?.place(directory)?;
            match own::metadata(&path)? {
                Some(found) if found.is_file() => Ok((name.clone(), Stamp::of(&found))),
                Some(_) => bail!("{} is not a file", path.display()),
                None => bail!("{} is missing", path.display()),
            }
        };
        self.0.keys().map(stamp).collect()
    }
}

/// What cannot be read is no stamp.
fn read_stamps(directory: &Path) -> BTreeMap<String, Stamp> {
    let text = bound::file(&directory.join(STAMPS), bound::TEXT).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Writes them in one step, for readers beside us, and for every user of the cache.
fn write_stamps(directory: &Path, stamps: &BTreeMap<String, Stamp>) -> Result<()> {
    let context = || format!("failed to write the stamps of {}", directory.display());
    let mut file = tempfile::NamedTempFile::new_in(directory).with_context(context)?;
    file.write_all(&serde_json::to_vec(stamps)?)
        .and_then(|()| {
            let permissions = Permissions::from_mode(0o644);
            file.as_file().set_permissions(permissions)
        })
        .with_context(context)?;
    file.persist(directory.join(STAMPS)).with_context(context)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An entry of two files.
    fn entry() -> (tempfile::TempDir, Contents) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("modules")).unwrap();
        fs::write(dir.path().join("vmlinux"), "kernel").unwrap();
        fs::write(dir.path().join("modules/loop.ko"), "module").unwrap();
        let contents = Contents::of(dir.path()).unwrap();
        (dir, contents)
    }

    fn error(entry: &(tempfile::TempDir, Contents), trust: Trust) -> String {
        format!("{:#}", entry.1.verify(entry.0.path(), trust).unwrap_err())
    }

    #[test]
    fn an_entry_as_it_was_made_is_sound() {
        let (dir, contents) = entry();
        contents.verify(dir.path(), Trust::Stamps).unwrap();
        contents.verify(dir.path(), Trust::Nothing).unwrap();
        assert_eq!(
            contents.names().collect::<Vec<_>>(),
            ["modules/loop.ko", "vmlinux"]
        );
    }

    #[test]
    fn a_truncated_file_is_an_error_that_says_by_how_much() {
        let entry = entry();
        fs::write(entry.0.path().join("vmlinux"), "ker").unwrap();
        let text = error(&entry, Trust::Stamps);
        assert!(
            text.contains("vmlinux is damaged: it has 3 bytes, it should have 6"),
            "{text}"
        );
    }

    #[test]
    fn another_content_of_the_same_size_is_an_error() {
        let entry = entry();
        fs::write(entry.0.path().join("modules/loop.ko"), "MODULE").unwrap();
        let text = error(&entry, Trust::Stamps);
        assert!(
            text.contains("loop.ko is damaged: its sha256 is "),
            "{text}"
        );
    }

    #[test]
    fn a_modification_time_that_was_set_back_hides_nothing() {
        let entry = entry();
        let path = entry.0.path().join("vmlinux");
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "KERNEL").unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(before)
            .unwrap();
        assert!(error(&entry, Trust::Stamps).contains("vmlinux is damaged"));
    }

    #[test]
    fn a_missing_file_and_a_symlink_among_its_parents_are_errors() {
        let entry = entry();
        fs::rename(entry.0.path().join("modules"), entry.0.path().join("m")).unwrap();
        assert!(error(&entry, Trust::Stamps).contains("does not exist"));
        std::os::unix::fs::symlink("m", entry.0.path().join("modules")).unwrap();
        assert!(error(&entry, Trust::Stamps).contains("through the symlink modules"));
    }

    #[test]
    fn a_file_with_the_same_stamp_is_not_read_again() {
        let (dir, contents) = entry();
        let path = dir.path().join("vmlinux");
        fs::write(&path, "KERNEL").unwrap();
        // As if it had been hashed like this.
        write_stamps(dir.path(), &contents.stamps(dir.path()).unwrap()).unwrap();
        contents.verify(dir.path(), Trust::Stamps).unwrap();
        assert!(contents.verify(dir.path(), Trust::Nothing).is_err());
    }

    #[test]
    fn a_copy_is_hashed_once_and_then_stamped() {
        let (dir, contents) = entry();
        fs::remove_file(dir.path().join(STAMPS)).unwrap();
        contents.verify(dir.path(), Trust::Stamps).unwrap();
        assert_eq!(read_stamps(dir.path()).len(), 2);
        let stamps = fs::metadata(dir.path().join(STAMPS)).unwrap();
        assert_eq!(stamps.mode() & 0o777, 0o644);
    }

    #[test]
    fn an_entry_without_checksums_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let error = Contents::default()
            .verify(dir.path(), Trust::Stamps)
            .unwrap_err();
        assert!(error.to_string().contains("kept no checksums"), "{error}");
    }
}
