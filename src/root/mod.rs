//! A guest's root that the user puts together: the fixture, an image or nothing, with files of the host and
//! Debian packages over it, as one archive that is kept by what it was made from.

mod archive;
mod capabilities;
mod closure;
mod host;
mod image;
mod kept;
mod layer;
mod layout;
mod libraries;
mod packages;
mod places;
mod search;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

pub use archive::pack;
pub use closure::{Closure, Foreign};
pub use host::Added;
use kept::{keep, kept_root};
use layer::Part;
pub use places::{Host, Within};
pub use search::{Caller, Missing, search};

use crate::files;
use crate::vm::tree::{Entry, Owner, Tree};

/// How much a user may put into a guest, whose memory is more than four times that.
pub const LIMIT: u64 = 1 << 30;
/// How many notes on a root are shown.
const NAMED: usize = 8;
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
    /// Anything that is known already.
    Entry(Entry),
    /// A tar archive, which goes over the whole root.
    Archive(PathBuf, Part),
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
    /// Directories that it has besides.
    directories: Vec<String>,
    /// Everything that the archive is made from: the key under which the cache keeps it.
    stamps: Vec<String>,
    size: u64,
    /// What is to be said of what does not go along.
    notes: Vec<String>,
    /// How many devices, pipes and sockets below /dev do not.
    devices: usize,
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

    /// A directory that the root has; where nothing is there in the end, it gets one with the mode 0755.
    pub fn directory(&mut self, place: &str) {
        let place = place.trim_matches('/');
        if !place.is_empty() {
            self.stamps.push(format!("{place:?} is a directory"));
            self.directories.push(place.to_owned());
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
        // The same file is root's where it is added, and its owner's where it is taken along.
        self.stamps.push(format!("{owner:?}"));
        self.grow(size)?;
        self.notes.extend(capabilities::of_host(host, place));
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
        let own = self.notes.iter().cloned();
        let own = own.chain(devices_left_out(self.devices)).collect();
        if let Some(built) = kept_root(&kept)? {
            // The time says which one was not asked for the longest.
            let _ = fs::File::open(&kept).and_then(|file| files::touch(&file));
            return Ok(built.after(own));
        }
        let (tree, notes) = self.tree()?;
        let mut bytes = Vec::new();
        tree.write_cpio(&mut bytes)
            .context("failed to pack the guest's root")?;
        if let Err(error) = keep(&bytes, &notes, cache, &kept) {
            tell!("note: the guest's root is not kept: {error:#}");
        }
        let built = Built {
            archive: bytes.into(),
            tree,
            notes,
        };
        Ok(built.after(own))
    }

    /// Everything in its place, and what archives hold that does not go along.
    fn tree(&self) -> Result<(Tree, Vec<String>)> {
        let mut tree = Tree::default();
        let mut notes = Vec::new();
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
                Source::Archive(path, part) => {
                    notes.extend(layer::unpack(path, part, &mut tree, &mut left)?);
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
        let own = self.directories.iter();
        let own = own.map(|place| (place.as_str(), 0o755));
        for (place, mode) in own.chain(SKELETON) {
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
        Ok((tree, notes))
    }
}

/// A root that is ready.
#[derive(Debug)]
pub struct Built {
    /// Its archive.
    pub archive: Arc<[u8]>,
    /// What is in it.
    pub tree: Tree,
    /// What is to be said of what is not in it, in lines.
    pub notes: Vec<String>,
}

impl Built {
    fn after(mut self, mut notes: Vec<String>) -> Built {
        notes.append(&mut self.notes);
        Built { notes, ..self }
    }

    /// Says what is not in it; of much the first.
    pub fn warn(&self) {
        let (first, others) = self.notes.split_at(self.notes.len().min(NAMED));
        for note in first {
            tell!("{note}");
        }
        if !others.is_empty() {
            tell!("warning: {} more of this kind", others.len());
        }
    }
}

/// What is said of devices, pipes and sockets of a root's /dev.
fn devices_left_out(count: usize) -> Option<String> {
    let what = match count {
        0 => return None,
        1 => "1 device, pipe or socket".to_owned(),
        count => format!("{count} devices, pipes and sockets"),
    };
    Some(format!(
        "note: {what} below /dev left out: a guest has a /dev of its own"
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_there_stays_as_it_is() {
        let mut root = Root::default();
        root.entry("private", Entry::Directory(0o700), Owner::default());
        root.directory("/private");
        root.directory("/fresh");
        let (tree, _) = root.tree().unwrap();
        let mode = |place: &str| match tree.get(place) {
            Some(Entry::Directory(mode)) => Some(*mode),
            _ => None,
        };
        assert_eq!((mode("private"), mode("fresh")), (Some(0o700), Some(0o755)));
    }

    #[test]
    fn a_directory_that_a_symlink_leads_to_is_there() {
        let mut root = Root::default();
        root.directory("/bin");
        root.entry("usr/bin", Entry::Directory(0o755), Owner::default());
        root.entry("bin", Entry::Link("usr/bin".into()), Owner::default());
        let (tree, _) = root.tree().unwrap();
        assert_eq!(tree.resolve("bin").as_deref(), Some("usr/bin"));
    }

    #[test]
    fn a_file_that_is_another_users_makes_another_root() {
        let dir = tempfile::tempdir().unwrap();
        let (place, cache) = (dir.path().join("x"), dir.path().join("cache"));
        fs::write(&place, "x").unwrap();
        for owner in [Owner(1, 2), Owner::default()] {
            let mut root = Root::default();
            root.file("x", &place, 0o644, owner).unwrap();
            assert_eq!(root.build(&cache).unwrap().tree.owner("x"), owner);
        }
    }

    #[test]
    fn what_an_archive_loses_is_said_also_where_the_root_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Fifo);
        header.set_size(0);
        header.set_mode(0o644);
        let mut builder = tar::Builder::new(Vec::new());
        builder
            .append_data(&mut header, "dev/pipe", [].as_slice())
            .unwrap();
        let place = dir.path().join("root.tar");
        fs::write(&place, builder.into_inner().unwrap()).unwrap();
        let cache = dir.path().join("cache");
        let notes = || {
            let root = Root::of_image(&place, Foreign::Refused).unwrap();
            root.build(&cache).unwrap().notes
        };
        let said = [notes(), notes()];
        assert!(said[0][0].contains("1 device, pipe or socket"), "{said:?}");
        assert_eq!(said[0], said[1]);
    }
}
