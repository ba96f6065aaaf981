//! The locks beside the tables: which package, to the byte. `vm/setup --update` alone writes them.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::below::Below;
use crate::files;
use crate::vm::word;

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

impl Pinned {
    /// Checks name, path and checksum.
    ///
    /// # Errors
    ///
    /// The first key that is wrong, and its value.
    pub fn check(&self) -> Result<()> {
        word::package("name", &self.name)?;
        let of = || format!("package {} is wrong", self.name);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/.+~_:%-".contains(c);
        let path = Below::parse(&self.path).with_context(|| format!("{}: path", of()))?;
        if !path.as_str().starts_with("pool/") || !path.as_str().chars().all(plain) {
            bail!(
                "{}: path = {:?} is not a path of an archive",
                of(),
                self.path
            );
        }
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if self.sha256.len() != 64 || !self.sha256.chars().all(hex) {
            bail!("{}: sha256 = {:?} is not an SHA-256", of(), self.sha256);
        }
        Ok(())
    }
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
        let context =
            || format!("failed to read {file}: restore it with git checkout or vm/setup --update");
        let lock: Lock = toml::from_str(text).with_context(context)?;
        for pinned in &lock.packages {
            pinned.check().with_context(context)?;
        }
        Ok(lock)
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
        files::replace(file, format!("{HEAD}{text}").as_bytes())
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
            sha256: "0".repeat(64),
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
    fn a_lock_that_cannot_be_written_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kernels.lock");
        std::fs::write(&file, "old").unwrap();
        // In the place where the new one is made.
        std::fs::create_dir(dir.path().join(".kernels.lock.partial")).unwrap();
        let error = Lock::default().replace("5.10", vec![pinned("5.10", "c")], &file);
        let error = error.unwrap_err().to_string();
        assert_eq!(error, format!("failed to write {}", file.display()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
    }

    fn refused(change: impl Fn(&mut Pinned), why: &str) {
        let mut hostile = pinned("5.10", "a");
        hostile.check().unwrap();
        change(&mut hostile);
        let text = toml::to_string(&Lock {
            packages: vec![hostile],
        });
        let error = Lock::parse(&text.unwrap(), "x.lock").unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.starts_with("failed to read x.lock: ") && error.contains(why),
            "{error}"
        );
    }

    #[test]
    fn a_name_or_a_path_that_leads_elsewhere_is_an_error_that_names_the_key() {
        refused(|p| p.name = "../a".into(), "name = \"../a\"");
        refused(|p| p.path = "pool/../../a".into(), "a is wrong: path: ");
        refused(|p| p.path = "dists/a".into(), "path = \"dists/a\"");
        refused(|p| p.path = "pool/a b".into(), "path = \"pool/a b\"");
    }

    #[test]
    fn a_checksum_that_is_none_is_an_error_that_names_the_key() {
        refused(|p| p.sha256 = String::new(), "sha256 = \"\"");
        refused(|p| p.sha256 = "g".repeat(64), "sha256 = \"ggg");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(Lock::parse("[[pakage]]\n", "x.lock").is_err());
    }
}
