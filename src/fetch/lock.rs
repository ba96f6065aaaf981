//! The locks beside the tables: which package, to the byte. `vm/setup --update` alone writes them.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Every pinned package.
    #[serde(rename = "package", default)]
    pub packages: Vec<Pinned>,
}

/// One package, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Kernel id, or `fixture`.
    pub of: String,
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// Path in the archive, from `pool/` on.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Checksum of the file, in hexadecimal.
    pub sha256: String,
}

const HEAD: &str =
    "# Written by `vm/setup --update`: the packages that the table beside it stands for.\n\n";

impl Lock {
    /// Reads a lock; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// A text that is no lock.
    pub fn parse(text: &str, file: &str) -> Result<Lock> {
        toml::from_str(text).with_context(|| {
            format!("failed to read {file}: restore it with git checkout or vm/setup --update")
        })
    }

    /// The packages of one kernel, or of the fixture.
    #[must_use]
    pub fn of(&self, of: &str) -> Vec<Pinned> {
        self.packages
            .iter()
            .filter(|pinned| pinned.of == of)
            .cloned()
            .collect()
    }

    /// Puts new packages in the place of what was pinned for one kernel, and writes the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn replace(&mut self, of: &str, packages: Vec<Pinned>, file: &Path) -> Result<()> {
        let place = self.packages.iter().position(|pinned| pinned.of == of);
        self.packages.retain(|pinned| pinned.of != of);
        let place = place
            .unwrap_or(self.packages.len())
            .min(self.packages.len());
        self.packages.splice(place..place, packages);
        let text = toml::to_string(self).context("failed to write a lock as TOML")?;
        std::fs::write(file, format!("{HEAD}{text}"))
            .with_context(|| format!("failed to write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(of: &str, name: &str) -> Pinned {
        Pinned {
            of: of.into(),
            name: name.into(),
            version: "1".into(),
            path: "pool/x.deb".into(),
            size: 1,
            sha256: "00".into(),
        }
    }

    #[test]
    fn new_packages_take_the_place_of_the_old_ones() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut lock = Lock {
            packages: vec![pinned("5.10", "a"), pinned("6.1", "b")],
        };
        lock.replace("5.10", vec![pinned("5.10", "c")], file.path())
            .unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let names: Vec<_> = Lock::parse(&text, "x")
            .unwrap()
            .packages
            .into_iter()
            .map(|p| p.name)
            .collect();
        assert_eq!(names, ["c", "b"]);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(Lock::parse("[[pakage]]\n", "x.lock").is_err());
    }
}
