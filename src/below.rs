//! Names that stay below the directory they are joined to.
//!
//! An archive, a package and a table say where their files go, and none of them is believed: each
//! name becomes a [`Below`] first, and a symlink among its parents is for its user to refuse.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A relative path without `..`, `.`, empty parts and control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Below<'a>(&'a str);

impl<'a> Below<'a> {
    /// Accepts a name as it stands in an archive or a table.
    ///
    /// # Errors
    ///
    /// The name is empty or absolute, or has a part that leads elsewhere.
    pub fn parse(name: &'a str) -> Result<Below<'a>> {
        if name.starts_with('/') {
            bail!("the name {name:?} is absolute");
        }
        if name.chars().any(char::is_control) {
            bail!("the name {name:?} has a control character");
        }
        for part in name.split('/') {
            match part {
                "" => bail!("the name {name:?} has an empty part"),
                "." | ".." => bail!("the name {name:?} has the part {part:?}"),
                _ => {}
            }
        }
        Ok(Below(name))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The directories above it, the outermost first.
    pub fn parents(self) -> impl Iterator<Item = &'a str> {
        let name = self.0;
        name.match_indices('/').map(move |(end, _)| &name[..end])
    }

    /// Its place in a directory of this file system, when its parents are directories and no
    /// symlinks.
    ///
    /// Nobody else may change the directory meanwhile.
    ///
    /// # Errors
    ///
    /// A parent is missing, a symlink, or no directory.
    pub fn place(self, root: &Path) -> Result<PathBuf> {
        for parent in self.parents() {
            let path = root.join(parent);
            let kind = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    bail!(
                        "the name {:?} is below {parent}, which does not exist",
                        self.0
                    )
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("failed to read {}", path.display()));
                }
            };
            if kind.is_symlink() {
                bail!("the name {:?} leads through the symlink {parent}", self.0);
            }
            if !kind.is_dir() {
                bail!(
                    "the name {:?} is below {parent}, which is not a directory",
                    self.0
                );
            }
        }
        Ok(root.join(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_taken_and_knows_its_parents() {
        let name = Below::parse("usr/lib/x").unwrap();
        assert_eq!(name.parents().collect::<Vec<_>>(), ["usr", "usr/lib"]);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_an_error_that_shows_it() {
        for name in [
            "/etc/x", "../x", "a/../x", "a/..", "./a", "a//b", "a/", "", "a\nb",
        ] {
            let error = Below::parse(name).unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn a_place_through_a_symlink_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("a")).unwrap();
        let error = Below::parse("a/b").unwrap().place(dir.path()).unwrap_err();
        assert!(
            error.to_string().contains("through the symlink a"),
            "{error}"
        );
    }
}
