//! Files as a guest will have them: those of this host, which go along when they are needed, or those of a root.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Added, LIMIT, Root};
use crate::bound;
use crate::files;
use crate::model::HEAD;
use crate::vm::tree::{Entry, Owner, Tree};

/// How many symlinks of a path are followed, as by the kernel.
const MOST_LINKS: usize = 40;

/// Files, by absolute paths; symlinks are followed.
pub trait Files {
    /// Whether a regular file is there.
    fn is_file(&self, path: &Path) -> bool;

    /// How a file begins: [`HEAD`] bytes, filled up with zeros.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn head(&self, path: &Path) -> Result<Vec<u8>>;

    /// What is in a file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is more than a guest takes.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>>;

    /// Has a file in the guest, with the symlinks on the way; returns where it is.
    ///
    /// # Errors
    ///
    /// It is not there, is no file, or is more than a guest takes.
    fn take(&mut self, path: &Path) -> Result<PathBuf>;

    /// What is in a directory.
    fn list(&self, directory: &Path) -> Vec<PathBuf>;
}

/// The files of this host, with what is added at another place.
#[derive(Debug)]
pub struct Host<'a> {
    /// Where what is taken goes.
    pub root: &'a mut Root,
    /// What is added, in this order, after all that is taken.
    pub added: &'a [&'a Added],
}

/// Where a path leads.
struct Led {
    /// The symlinks on the way, with their targets.
    links: Vec<(PathBuf, PathBuf)>,
    /// The file in the guest.
    place: PathBuf,
    /// The file on the host.
    host: PathBuf,
    /// It is one that is added.
    is_added: bool,
}

impl Host<'_> {
    /// What is added in this place; the last one is what the root has.
    fn instead(&self, place: &Path) -> Option<PathBuf> {
        let mut added = self.added.iter().rev();
        added.find_map(|added| {
            let rest = place.strip_prefix(&added.guest).ok()?;
            let host: PathBuf = added.host.join(rest).components().collect();
            host.symlink_metadata().is_ok().then_some(host)
        })
    }

    /// Whether a directory is there because something is added below it.
    fn is_above(&self, place: &Path) -> bool {
        let mut added = self.added.iter();
        added.any(|added| Path::new(&added.guest).starts_with(place))
    }

    fn lead(&self, path: &Path) -> Result<Led> {
        let mut links = Vec::new();
        let mut followed = 0;
        let mut left: Vec<PathBuf> = vec![path.to_owned()];
        let mut here = PathBuf::from("/");
        while let Some(next) = left.pop() {
            let mut parts = next.components();
            let Some(part) = parts.next() else { continue };
            left.push(parts.as_path().to_owned());
            match part {
                Component::RootDir => here = PathBuf::from("/"),
                Component::ParentDir => drop(here.pop()),
                Component::Normal(name) => here.push(name),
                Component::CurDir | Component::Prefix(_) => {}
            }
            let instead = self.instead(&here);
            let is_added = instead.is_some();
            let host = instead.unwrap_or_else(|| here.clone());
            let context = || format!("failed to read {}", host.display());
            let meta = match host.symlink_metadata() {
                Err(_) if self.is_above(&here) => continue,
                meta => meta.with_context(context)?,
            };
            if meta.is_symlink() {
                followed += 1;
                if followed > MOST_LINKS {
                    bail!("{} leads through too many symlinks", path.display());
                }
                let target = host.read_link().with_context(context)?;
                if !is_added {
                    links.push((here.clone(), target.clone()));
                }
                here.pop();
                left.push(target);
            } else if meta.is_file() && left.iter().all(|left| left.as_os_str().is_empty()) {
                return Ok(Led {
                    links,
                    place: here,
                    host,
                    is_added,
                });
            }
        }
        bail!("{} is no file", path.display())
    }
}

impl Files for Host<'_> {
    fn is_file(&self, path: &Path) -> bool {
        self.lead(path).is_ok()
    }

    fn head(&self, path: &Path) -> Result<Vec<u8>> {
        let host = self.lead(path)?.host;
        let context = || format!("failed to read {}", host.display());
        head(bound::open(&host, LIMIT)?).with_context(context)
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        bound::file(&self.lead(path)?.host, LIMIT)
    }

    fn take(&mut self, path: &Path) -> Result<PathBuf> {
        use std::os::unix::fs::MetadataExt as _;
        let led = self.lead(path)?;
        for (link, target) in &led.links {
            let target = text(target)?.to_owned();
            self.root
                .entry(inside(link)?, Entry::Link(target), Owner::default());
        }
        if !led.is_added {
            let meta = led.host.metadata();
            let meta = meta.with_context(|| format!("failed to read {}", led.host.display()))?;
            let (mode, owner) = (meta.mode() & 0o7777, Owner(meta.uid(), meta.gid()));
            self.root
                .file(inside(&led.place)?, &led.host, mode, owner)?;
        }
        Ok(led.place)
    }

    fn list(&self, directory: &Path) -> Vec<PathBuf> {
        files::list(directory).unwrap_or_default()
    }
}

/// The files of a root that is put together already.
#[derive(Debug)]
pub struct Within<'a>(pub &'a Tree);

impl Within<'_> {
    fn find(&self, path: &Path) -> Option<(PathBuf, &[u8])> {
        let place = self.0.resolve(path.to_str()?)?;
        match self.0.get(&place)? {
            Entry::File { bytes, .. } => Some((Path::new("/").join(place), bytes)),
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> Result<(PathBuf, &[u8])> {
        let found = self.find(path);
        found.with_context(|| format!("the root has no file {}", path.display()))
    }
}

impl Files for Within<'_> {
    fn is_file(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    fn head(&self, path: &Path) -> Result<Vec<u8>> {
        Ok(head(self.file(path)?.1)?)
    }

    fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        Ok(self.file(path)?.1.to_vec())
    }

    fn take(&mut self, path: &Path) -> Result<PathBuf> {
        Ok(self.file(path)?.0)
    }

    fn list(&self, directory: &Path) -> Vec<PathBuf> {
        let directory = directory.to_str().and_then(|path| self.0.resolve(path));
        let Some(directory) = directory else {
            return Vec::new();
        };
        let names = self.0.iter().filter_map(|(path, _)| {
            let (above, _) = path.rsplit_once('/').unwrap_or(("", path));
            (above == directory).then(|| Path::new("/").join(path))
        });
        names.collect()
    }
}

/// The first [`HEAD`] bytes, filled up with zeros.
fn head(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    from.take(HEAD as u64).read_to_end(&mut head)?;
    head.resize(HEAD, 0);
    Ok(head)
}

fn text(path: &Path) -> Result<&str> {
    let text = path.to_str();
    text.with_context(|| format!("{path:?} is no UTF-8, which all names of a guest are"))
}

/// A path as one of the root.
fn inside(path: &Path) -> Result<&str> {
    Ok(text(path)?.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_added_stands_in_its_place_and_goes_along_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "own").unwrap();
        let added = Added {
            host: dir.path().join("x"),
            guest: "/nowhere/below/x".to_owned(),
            own: false,
        };
        let mut root = Root::default();
        let mut host = Host {
            root: &mut root,
            added: &[&added],
        };
        let place = Path::new("/nowhere/below/x");
        assert_eq!(host.bytes(place).unwrap(), b"own");
        assert_eq!(host.take(place).unwrap(), place);
        assert!(!host.is_file(Path::new("/nowhere/below/y")));
        assert_eq!(root.tree().unwrap().0.get("nowhere/below/x"), None);
    }

    #[test]
    fn a_path_below_a_file_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        fs::write(&file, "").unwrap();
        let mut root = Root::default();
        let host = Host {
            root: &mut root,
            added: &[],
        };
        assert!(host.is_file(&file) && !host.is_file(&file.join("y")));
    }

    #[test]
    fn a_directory_of_a_root_is_listed_through_its_symlink() {
        let mut tree = Tree::default();
        let file = Entry::File {
            mode: 0o644,
            bytes: b"x".as_slice().into(),
        };
        for name in ["a/b/x", "a/y"] {
            tree.add(name, file.clone()).unwrap();
        }
        tree.add("c", Entry::Link("a".into())).unwrap();
        let listed = Within(&tree).list(Path::new("/c"));
        assert_eq!(listed, [Path::new("/a/b"), Path::new("/a/y")]);
    }
}
