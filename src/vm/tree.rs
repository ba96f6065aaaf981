//! A file system in memory, and its cpio form: same tree, same bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::below::Below;

/// Files, links and directories by path (no leading `/`), in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory with its permission bits.
    Directory(u32),
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Content.
        bytes: Vec<u8>,
    },
    /// A symbolic link with its target.
    Link(String),
}

impl Tree {
    /// Adds an entry, and the directories above it (mode 0755) where they are missing.
    ///
    /// # Errors
    ///
    /// The name leads out of the tree or through a symlink, or something else is in its place.
    pub fn add(&mut self, path: &str, entry: Entry) -> Result<()> {
        for parent in Below::parse(path)?.parents() {
            match self.entries.get(parent) {
                None => {
                    let directory = Entry::Directory(0o755);
                    self.entries.insert(parent.to_owned(), directory);
                }
                Some(Entry::Directory(_)) => {}
                Some(Entry::Link(target)) => {
                    bail!("{path:?} leads through {parent}, a symlink to {target}")
                }
                Some(Entry::File { .. }) => bail!("{path:?} is below {parent}, which is a file"),
            }
        }
        if !matches!(entry, Entry::Directory(_))
            && matches!(self.get(path), Some(Entry::Directory(_)))
        {
            bail!("{path:?} is a directory already");
        }
        if matches!(entry, Entry::Directory(_))
            && !matches!(self.get(path), None | Some(Entry::Directory(_)))
        {
            bail!("{path:?} is there already, and is not a directory");
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Takes an entry out.
    pub fn remove(&mut self, path: &str) -> Option<Entry> {
        self.entries.remove(path)
    }

    /// Every entry, a directory before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// The entry at a path, through no link.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The path that a path leads to when links are followed; none when it leads nowhere.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<String> {
        // More links than this is a loop, as for the kernel (path_resolution(7)).
        let mut links = 0;
        let mut rest: Vec<String> = parts(path).rev().collect();
        let mut done: Vec<String> = Vec::new();
        while let Some(part) = rest.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            done.push(part);
            match self.entries.get(&done.join("/"))? {
                Entry::Link(target) => {
                    links += 1;
                    if links > 40 {
                        return None;
                    }
                    if target.starts_with('/') {
                        done.clear();
                    } else {
                        done.pop();
                    }
                    rest.extend(parts(target).rev());
                }
                Entry::Directory(_) | Entry::File { .. } => {}
            }
        }
        Some(done.join("/"))
    }

    /// Writes the tree below an empty directory of the host: no name leads out of it or through a
    /// symlink.
    ///
    /// # Errors
    ///
    /// What cannot be written, with its path.
    pub fn write_to(&self, root: &Path) -> Result<()> {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        for (path, entry) in self.iter() {
            let place = root.join(path);
            let result = match entry {
                Entry::Directory(_) => std::fs::create_dir_all(&place),
                Entry::Link(target) => symlink(target, &place),
                Entry::File { mode, bytes } => std::fs::write(&place, bytes).and_then(|()| {
                    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(*mode))
                }),
            };
            result.with_context(|| format!("failed to write {}", place.display()))?;
        }
        Ok(())
    }

    /// Writes the tree as a cpio archive of the form that the kernel unpacks (newc).
    ///
    /// Inode numbers count up from 1, times and owners are 0.
    ///
    /// # Errors
    ///
    /// What the writer reports, or a file of 4 GiB or more.
    pub fn write_cpio(&self, mut out: impl Write) -> Result<()> {
        for ((path, entry), inode) in self.iter().zip(1..) {
            let (mode, bytes): (u32, &[u8]) = match entry {
                Entry::Directory(mode) => (0o040_000 | mode, b""),
                Entry::File { mode, bytes } => (0o100_000 | mode, bytes),
                Entry::Link(target) => (0o120_777, target.as_bytes()),
            };
            let size = u32::try_from(bytes.len())
                .with_context(|| format!("{path} is too big for a cpio archive"))?;
            let mut member = cpio::newc::Builder::new(path)
                .ino(inode)
                .mode(mode)
                .nlink(1)
                .write(&mut out, size);
            member.write_all(bytes)?;
            member.finish()?;
        }
        cpio::newc::trailer(out)?;
        Ok(())
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = String> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Entry {
        Entry::File {
            mode: 0o755,
            bytes: b"x".to_vec(),
        }
    }

    #[test]
    fn directories_above_a_file_are_made() {
        let mut tree = Tree::default();
        tree.add("a/b", file()).unwrap();
        assert_eq!(tree.get("a"), Some(&Entry::Directory(0o755)));
    }

    fn refused(entries: &[(&str, Entry)], why: &str) {
        let (last, first) = entries.split_last().unwrap();
        let mut tree = Tree::default();
        for (path, entry) in first {
            tree.add(path, entry.clone()).unwrap();
        }
        let error = tree.add(last.0, last.1.clone()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_name_that_leads_out_is_an_error() {
        refused(&[("/etc/x", file())], "is absolute");
        refused(&[("a/../../x", file())], "has the part \"..\"");
    }

    #[test]
    fn a_name_through_a_link_or_a_file_is_an_error() {
        let link = Entry::Link("/etc".into());
        refused(
            &[("a", link), ("a/b", file())],
            "leads through a, a symlink to /etc",
        );
        refused(
            &[("a", file()), ("a/b", file())],
            "is below a, which is a file",
        );
    }

    #[test]
    fn a_link_does_not_take_the_place_of_a_directory_nor_a_directory_that_of_a_link() {
        let link = Entry::Link("/etc".into());
        refused(
            &[("a/b", file()), ("a", link.clone())],
            "is a directory already",
        );
        refused(
            &[("a", link), ("a", Entry::Directory(0o755))],
            "is not a directory",
        );
    }

    #[test]
    fn links_are_followed_also_in_the_middle_of_a_path() {
        let mut tree = Tree::default();
        tree.add("usr/lib/x", file()).unwrap();
        tree.add("lib", Entry::Link("usr/lib".into())).unwrap();
        tree.add("usr/lib/y", Entry::Link("../../lib/x".into()))
            .unwrap();
        assert_eq!(tree.resolve("/lib/y"), Some("usr/lib/x".into()));
    }

    #[test]
    fn a_loop_of_links_leads_nowhere() {
        let mut tree = Tree::default();
        tree.add("a", Entry::Link("a".into())).unwrap();
        assert_eq!(tree.resolve("a"), None);
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes_whatever_the_order_of_building() {
        let (mut one, mut two) = (Tree::default(), Tree::default());
        for path in ["a/b", "c"] {
            one.add(path, file()).unwrap();
        }
        for path in ["c", "a/b"] {
            two.add(path, file()).unwrap();
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        one.write_cpio(&mut a).unwrap();
        two.write_cpio(&mut b).unwrap();
        assert_eq!(a, b);
    }
}
