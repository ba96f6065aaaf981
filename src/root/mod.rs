//! A guest's root that the user puts together: the fixture, an image or nothing, with files of the host and
//! Debian packages over it, as one archive that is kept by what it was made from.

mod closure;
mod host;
mod image;
mod packages;
mod places;
mod search;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

pub use closure::{Closure, Foreign};
pub use host::Added;
pub use places::{Host, Within};
pub use search::{Caller, Missing, search};

use crate::fetch::{Work, own, put_in_place};
use crate::files;
use crate::vm::tree::{Entry, Owner, Tree};

/// How much a user may put into a guest, whose memory is more than four times that.
pub const LIMIT: u64 = 1 << 30;
/// How many roots stay in the cache.
const KEPT: usize = 16;
/// Directories that every root has.
const SKELETON: [(&str, u32); 7] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("exetrail", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("sys", 0o555),
    ("tmp", 0o1777),
];
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// Where an entry of a root comes from.
#[derive(Clone, Debug)]
enum Source {
    /// A regular file of the host with its mode; read when the archive is made.
    Host(PathBuf, u32),
    /// A directory, if nothing is there.
    Missing,
    /// Anything that is known already.
    Entry(Entry),
    /// A tar archive, which goes over the whole root.
    Layer(PathBuf),
    /// A Debian package.
    Package(PathBuf),
}

/// A root while it is put together.
#[derive(Debug, Default)]
pub struct Root {
    /// Archives that it begins with, the base first.
    base: Vec<PathBuf>,
    /// What is put over them, in this order.
    over: Vec<(String, Source, Owner)>,
    /// How it comes about that an archive of the cache is the same: everything that it was made from.
    stamps: Vec<String>,
    size: u64,
}

impl Root {
    /// A root that begins with these archives of the fixture.
    ///
    /// # Errors
    ///
    /// One cannot be looked at.
    pub fn of_fixture(archives: &BTreeMap<String, PathBuf>) -> Result<Root> {
        let mut root = Root::default();
        let base = archives.get(crate::vm::image::BASE);
        let rest = archives
            .iter()
            .filter(|(part, _)| *part != crate::vm::image::BASE);
        for path in base.into_iter().chain(rest.map(|(_, path)| path)) {
            root.stamp(path, "base")?;
            root.base.push(path.clone());
        }
        Ok(root)
    }

    /// A directory that the root has; where it has none yet, it gets one with the mode 0755.
    pub fn directory(&mut self, place: &str) {
        let place = place.trim_matches('/');
        if !place.is_empty() {
            self.stamps.push(format!("{place:?} is a directory"));
            self.over
                .push((place.to_owned(), Source::Missing, Owner::default()));
        }
    }

    fn entry(&mut self, place: &str, entry: Entry, owner: Owner) {
        let what = match &entry {
            Entry::Directory(mode) => format!("directory {mode:o}"),
            Entry::Link(target) => format!("symlink {target:?}"),
            Entry::File { mode, bytes } => {
                format!("file {mode:o} {}", hex(&Sha256::digest(bytes)))
            }
        };
        self.stamps.push(format!("{place:?} {what} {owner:?}"));
        self.over
            .push((place.to_owned(), Source::Entry(entry), owner));
    }

    fn file(&mut self, place: &str, host: &Path, mode: u32, owner: Owner) -> Result<()> {
        let size = self.stamp(host, place)?;
        self.grow(size)?;
        self.over
            .push((place.to_owned(), Source::Host(host.to_owned(), mode), owner));
        Ok(())
    }

    /// Notes what a file is, by all that changes with its content; returns its size.
    fn stamp(&mut self, path: &Path, place: &str) -> Result<u64> {
        let found =
            fs::metadata(path).with_context(|| format!("failed to read {}", path.display()))?;
        self.stamps.push(format!(
            "{place:?} {path:?} {} {} {:o} {} {} {} {}",
            found.dev(),
            found.ino(),
            found.mode(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec()
        ));
        Ok(found.size())
    }

    fn grow(&mut self, size: u64) -> Result<()> {
        self.size = self.size.saturating_add(size);
        if self.size > LIMIT {
            bail!(
                "the files for the guest are more than {} MiB, which is as much as a guest takes: add \
                 less, or a directory that holds what is needed alone",
                LIMIT >> 20
            );
        }
        Ok(())
    }

    /// The root as an archive, out of the cache where it was made before from the same.
    ///
    /// # Errors
    ///
    /// A file cannot be read or does not fit into the root, or the cache cannot be written.
    pub fn build(&self, cache: &Path) -> Result<Built> {
        let mut digest = Sha256::new();
        // Another build may read the same otherwise.
        digest.update(env!("EXETRAIL_BUILD"));
        for stamp in &self.stamps {
            digest.update(stamp);
            digest.update([0]);
        }
        let place = cache.join("roots");
        let kept = place.join(format!("{}.cpio", &hex(&digest.finalize())[..32]));
        if let Some(built) = kept_root(&kept)? {
            // The time says which one was not asked for the longest.
            let _ = fs::File::open(&kept).and_then(|file| files::touch(&file));
            return Ok(built);
        }
        let tree = self.tree()?;
        let mut bytes = Vec::new();
        tree.write_cpio(&mut bytes)
            .context("failed to pack the guest's root")?;
        if let Err(error) = keep(&bytes, cache, &kept) {
            tell!("note: the guest's root is not kept: {error:#}");
        }
        Ok(Built {
            archive: bytes.into(),
            tree,
        })
    }

    /// Everything in its place.
    fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        // For all that is unpacked together.
        let mut left = LIMIT;
        for path in &self.base {
            let file = fs::File::open(path);
            let file = file.with_context(|| format!("failed to open {}", path.display()))?;
            tree.read_cpio(std::io::BufReader::new(file))
                .with_context(|| format!("failed to read {}", path.display()))?;
        }
        for (place, source, owner) in &self.over {
            let entry = match source {
                Source::Missing if tree.resolve(place).is_some() => continue,
                Source::Missing => Entry::Directory(0o755),
                Source::Layer(path) => {
                    image::unpack(path, &mut tree, &mut left)?;
                    continue;
                }
                Source::Package(path) => {
                    packages::unpack(path, &mut tree, &mut left)?;
                    continue;
                }
                Source::Entry(entry) => entry.clone(),
                Source::Host(path, mode) => {
                    let bytes = fs::read(path);
                    let bytes =
                        bytes.with_context(|| format!("failed to read {}", path.display()))?;
                    Entry::File {
                        mode: *mode,
                        bytes: bytes.into(),
                    }
                }
            };
            tree.put(place, entry, *owner)
                .with_context(|| format!("/{place} does not fit into the guest's root"))?;
        }
        for (place, mode) in SKELETON {
            if tree.resolve(place).is_none() {
                tree.put(place, Entry::Directory(mode), Owner::default())?;
            }
        }
        for (place, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP)] {
            if tree.resolve(place).is_none() {
                let bytes = text.as_bytes().into();
                tree.put(place, Entry::File { mode: 0o644, bytes }, Owner::default())?;
            }
        }
        Ok(tree)
    }
}

/// A root that is ready.
#[derive(Debug)]
pub struct Built {
    /// Its archive.
    pub archive: Arc<[u8]>,
    /// What is in it.
    pub tree: Tree,
}

/// A root that was made before, when nobody else could write it; none where there is none that can be read.
fn kept_root(kept: &Path) -> Result<Option<Built>> {
    for path in kept.parent().into_iter().chain([kept]) {
        if own::metadata(path)?.is_none() {
            return Ok(None);
        }
    }
    // Another run may have removed it meanwhile, or it is damaged: it is made anew then.
    let Ok(bytes) = fs::read(kept) else {
        return Ok(None);
    };
    let mut tree = Tree::default();
    let whole = tree.read_cpio(bytes.as_slice()).is_ok();
    Ok(whole.then(|| Built {
        archive: bytes.into(),
        tree,
    }))
}

/// Keeps an archive of a root for the next time.
fn keep(bytes: &[u8], cache: &Path, kept: &Path) -> Result<()> {
    let work = Work::begin(cache)?;
    let new = work.path().join("root.cpio");
    let permissions = fs::Permissions::from_mode(0o644);
    fs::write(&new, bytes)
        .and_then(|()| fs::set_permissions(&new, permissions))
        .with_context(|| format!("failed to write {}", new.display()))?;
    put_in_place(&new, kept)?;
    kept.parent().map_or(Ok(()), prune)
}

/// Removes the roots that were not asked for the longest, beyond those that stay.
fn prune(place: &Path) -> Result<()> {
    let archives = files::list(place)?.into_iter();
    let archives = archives.filter(|path| path.extension().is_some_and(|end| end == "cpio"));
    let used = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    let mut archives: Vec<_> = archives.map(|path| (used(&path), path)).collect();
    archives.sort();
    archives.reverse();
    for (_, path) in archives.into_iter().skip(KEPT) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(path);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_root_can_be_read_by_all_and_one_that_cannot_is_made_anew() {
        let cache = tempfile::tempdir().unwrap();
        let root = Root::default();
        let first = root.build(cache.path()).unwrap();
        let kept = files::list(&cache.path().join("roots")).unwrap();
        assert_eq!(fs::metadata(&kept[0]).unwrap().mode() & 0o777, 0o644);
        assert_eq!(kept_root(&kept[0]).unwrap().unwrap().tree, first.tree);
        assert_eq!(files::list(&cache.path().join("partial")).unwrap().len(), 0);
        fs::write(&kept[0], "cut").unwrap();
        assert_eq!(root.build(cache.path()).unwrap().archive, first.archive);
        assert_eq!(fs::read(&kept[0]).unwrap(), *first.archive);
    }

    #[test]
    fn a_directory_that_is_there_stays_as_it_is() {
        let mut root = Root::default();
        root.entry("private", Entry::Directory(0o700), Owner::default());
        root.directory("/private");
        root.directory("/fresh");
        let tree = root.tree().unwrap();
        let mode = |place: &str| match tree.get(place) {
            Some(Entry::Directory(mode)) => Some(*mode),
            _ => None,
        };
        assert_eq!((mode("private"), mode("fresh")), (Some(0o700), Some(0o755)));
    }
}
