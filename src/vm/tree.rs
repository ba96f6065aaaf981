//! A file system in memory, and its cpio form: same tree, same bytes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use crate::below::Below;

/// Files, links and directories by path (no leading `/`), in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
    /// Whose they are, where that is not root.
    owners: BTreeMap<String, Owner>,
}

/// User and group that something belongs to; root by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner(pub u32, pub u32);

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
        bytes: Arc<[u8]>,
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

    /// Puts an entry where its path leads in this tree, through symlinks of directories, in the place of a
    /// file or a symlink that is there.
    ///
    /// # Errors
    ///
    /// The name leads out of the tree, below a file, or through a symlink that leads nowhere; or it would
    /// take the place of a directory.
    pub fn put(&mut self, path: &str, entry: Entry, owner: Owner) -> Result<()> {
        let path = Below::parse(path)?.as_str();
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here = String::new();
        for part in directory.split('/').filter(|part| !part.is_empty()) {
            let next = join(&here, part);
            here = match self.entries.get(&next) {
                Some(Entry::Directory(_)) => next,
                Some(Entry::File { .. }) => bail!("{path:?} is below {next}, which is a file"),
                Some(Entry::Link(target)) => {
                    let to = self.resolve(&next);
                    let is_directory = |to: &String| {
                        to.is_empty() || matches!(self.get(to), Some(Entry::Directory(_)))
                    };
                    to.filter(is_directory).with_context(|| {
                        format!(
                            "{path:?} leads through {next}, a symlink to {target}, no directory"
                        )
                    })?
                }
                None => {
                    self.entries.insert(next.clone(), Entry::Directory(0o755));
                    next
                }
            };
        }
        let place = join(&here, name);
        match (self.entries.get(&place), &entry) {
            // Merged directories stay so.
            (Some(Entry::Link(_)), Entry::Directory(_))
                if self
                    .resolve(&place)
                    .is_some_and(|to| matches!(self.get(&to), Some(Entry::Directory(_)))) =>
            {
                return Ok(());
            }
            (Some(Entry::Directory(_)), Entry::File { .. } | Entry::Link(_)) => {
                bail!("{path:?} is a directory already")
            }
            _ => {}
        }
        match owner == Owner::default() {
            true => drop(self.owners.remove(&place)),
            false => drop(self.owners.insert(place.clone(), owner)),
        }
        self.entries.insert(place, entry);
        Ok(())
    }

    /// Takes an entry out.
    pub fn remove(&mut self, path: &str) -> Option<Entry> {
        self.owners.remove(path);
        self.entries.remove(path)
    }

    /// Takes out everything below a directory, which stays; the root is an empty path.
    pub fn remove_below(&mut self, directory: &str) {
        let inside = |path: &str| {
            let rest = path.strip_prefix(directory);
            rest.is_some_and(|rest| directory.is_empty() || rest.starts_with('/'))
        };
        self.entries.retain(|path, _| !inside(path));
        self.owners.retain(|path, _| !inside(path));
    }

    /// Whose an entry is.
    #[must_use]
    pub fn owner(&self, path: &str) -> Owner {
        self.owners.get(path).copied().unwrap_or_default()
    }

    /// Takes these entries out, as a tree of their own with the directories above them.
    ///
    /// # Errors
    ///
    /// There is no such entry.
    pub fn split<'a>(&mut self, paths: impl IntoIterator<Item = &'a String>) -> Result<Tree> {
        let mut own = Tree::default();
        for path in paths {
            let entry = self.remove(path);
            own.add(path, entry.with_context(|| format!("there is no {path}"))?)?;
        }
        Ok(own)
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
        // Last, from the inside out: a directory may not let its own user write.
        let all: Vec<_> = self.iter().collect();
        for (path, entry) in all.into_iter().rev() {
            if let Entry::Directory(mode) = entry {
                let place = root.join(path);
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(*mode))
                    .with_context(|| format!("failed to write {}", place.display()))?;
            }
        }
        Ok(())
    }

    /// Writes the tree as a cpio archive of the form that the kernel unpacks (newc).
    ///
    /// Inode numbers count up from 1, times are 0.
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
            let owner = self.owner(path);
            let size = u32::try_from(bytes.len())
                .with_context(|| format!("{path} is too big for a cpio archive"))?;
            let mut member = cpio::newc::Builder::new(path)
                .ino(inode)
                .mode(mode)
                .nlink(1)
                .uid(owner.0)
                .gid(owner.1)
                .write(&mut out, size);
            member.write_all(bytes)?;
            member.finish()?;
        }
        cpio::newc::trailer(out)?;
        Ok(())
    }

    /// Adds what is in an archive that [`Tree::write_cpio`] wrote.
    ///
    /// # Errors
    ///
    /// The archive is damaged, or has what no tree has.
    pub fn read_cpio(&mut self, mut from: impl Read) -> Result<()> {
        loop {
            let mut member = cpio::newc::Reader::new(&mut from)?;
            let entry = member.entry();
            if entry.is_trailer() {
                return Ok(());
            }
            let name = entry.name().to_owned();
            let (mode, owner) = (entry.mode(), Owner(entry.uid(), entry.gid()));
            let mut content = Vec::new();
            member.read_to_end(&mut content)?;
            member.finish()?;
            let entry = match mode & 0o170_000 {
                0o040_000 => Entry::Directory(mode & 0o7777),
                0o100_000 => Entry::File {
                    mode: mode & 0o7777,
                    bytes: content.into(),
                },
                0o120_000 => Entry::Link(String::from_utf8(content)?),
                other => bail!("{name}: unknown kind of file {other:o}"),
            };
            self.put(&name, entry, owner)?;
        }
    }
}

fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
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
            bytes: b"x".as_slice().into(),
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
    fn what_is_split_off_is_in_one_of_the_two_trees_alone() {
        let mut tree = Tree::default();
        tree.add("a/b", file()).unwrap();
        tree.add("a/c", file()).unwrap();
        let own = tree.split(&["a/b".to_owned()]).unwrap();
        assert_eq!((own.get("a/b"), own.get("a/c")), (Some(&file()), None));
        assert_eq!((tree.get("a/b"), tree.get("a/c")), (None, Some(&file())));
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

    /// A tree with a merged directory.
    fn merged() -> Tree {
        let mut tree = Tree::default();
        tree.add("usr/bin/x", file()).unwrap();
        tree.add("bin", Entry::Link("usr/bin".into())).unwrap();
        tree
    }

    #[test]
    fn what_is_put_goes_where_its_path_leads_and_merged_directories_stay() {
        let mut tree = merged();
        let owner = Owner(1, 2);
        tree.put("bin/y", file(), owner).unwrap();
        tree.put("bin", Entry::Directory(0o755), Owner::default())
            .unwrap();
        assert_eq!(
            (tree.get("usr/bin/y"), tree.owner("usr/bin/y")),
            (Some(&file()), owner)
        );
        assert!(matches!(tree.get("bin"), Some(Entry::Link(_))));
    }

    #[test]
    fn what_is_put_through_a_symlink_to_nowhere_or_over_a_directory_is_an_error() {
        let mut tree = merged();
        tree.add("lost", Entry::Link("nowhere".into())).unwrap();
        let mut error = |path| {
            tree.put(path, file(), Owner::default())
                .unwrap_err()
                .to_string()
        };
        assert!(error("lost/x").contains("a symlink to nowhere, no directory"));
        assert!(error("usr/bin").contains("is a directory already"));
        assert!(error("bin/x/y").contains("is below usr/bin/x, which is a file"));
    }

    #[test]
    fn what_is_below_a_directory_goes_and_its_neighbour_stays() {
        let mut tree = merged();
        tree.add("usr/bin2", file()).unwrap();
        tree.remove_below("usr/bin");
        assert_eq!(tree.get("usr/bin/x"), None);
        assert!(tree.get("usr/bin").is_some() && tree.get("usr/bin2").is_some());
    }

    #[test]
    fn an_archive_is_read_back_as_it_was() {
        let mut tree = merged();
        tree.put("usr/bin/y", file(), Owner(1, 2)).unwrap();
        let mut bytes = Vec::new();
        tree.write_cpio(&mut bytes).unwrap();
        let mut read = Tree::default();
        read.read_cpio(bytes.as_slice()).unwrap();
        assert_eq!(read, tree);
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
