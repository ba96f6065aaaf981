//! Debian packages in a root, with what they depend on.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Root, Source};
use crate::bound;
use crate::fetch::{Member, MemberKind, read_deb};
use crate::vm::tree::{Entry, Owner, Tree};

impl Root {
    /// Adds the files of Debian packages; nothing of a package is executed.
    ///
    /// # Errors
    ///
    /// One cannot be looked at, or all are more than a guest takes.
    pub fn packages(&mut self, files: &[std::path::PathBuf]) -> Result<()> {
        for file in files {
            let size = self.stamp(file, "package")?;
            self.grow(size)?;
            self.over.push((
                String::new(),
                Source::Package(file.clone()),
                Owner::default(),
            ));
        }
        Ok(())
    }
}

/// Puts a package's files over a tree, where the usual merged directories are symlinks.
///
/// `left` is how many bytes of files the tree may still grow by.
///
/// # Errors
///
/// The package cannot be read, or does not fit.
pub fn unpack(file: &Path, tree: &mut Tree, left: &mut u64) -> Result<()> {
    for Member { path, mode, kind } in read_deb(file, |_| true)? {
        let entry = match kind {
            MemberKind::File(bytes) => {
                bound::check(bytes.len() as u64, *left)
                    .with_context(|| format!("{path} of {} is refused", file.display()))?;
                *left -= bytes.len() as u64;
                Entry::File {
                    mode,
                    bytes: bytes.into(),
                }
            }
            MemberKind::Link(target) => Entry::Link(target),
        };
        tree.put(&path, entry, Owner::default())
            .with_context(|| format!("{} does not fit into the root", file.display()))?;
    }
    Ok(())
}
