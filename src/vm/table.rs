//! `vm/kernels.toml`: the kernels under test. Only this file reads it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::word;
use crate::baseline::Lineage;
use crate::trail::KernelId;

/// The kernel table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Modules that the image carries.
    pub modules: Vec<String>,
    /// Kernels, oldest first.
    #[serde(rename = "kernel")]
    pub kernels: Vec<KernelEntry>,
}

/// One kernel of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelEntry {
    /// Its series.
    pub id: KernelId,
    /// Debian suites that offer it.
    pub suites: Vec<String>,
    /// Its releases, with `*` for what changes.
    pub release: String,
    /// Package names with `{release}` in them.
    pub packages: Vec<String>,
    /// Whose snapshots it inherits, where that is not the next lower id.
    pub parent: Option<KernelId>,
}

impl KernelEntry {
    fn check_words(&self) -> Result<()> {
        for name in &self.suites {
            word::suite("suites", name)?;
        }
        for name in &self.packages {
            word::package("packages", name)?;
        }
        word::release("release", &self.release)
    }
}

impl Table {
    /// Reads and checks a table; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// What is wrong with the table, with the name of the entry.
    pub fn parse(text: &str, file: &str) -> Result<Table> {
        let mut table: Table =
            toml::from_str(text).with_context(|| format!("failed to read {file}"))?;
        table.kernels.sort_by(|a, b| a.id.cmp(&b.id));
        table
            .check()
            .with_context(|| format!("failed to read {file}"))?;
        Ok(table)
    }

    fn check(&self) -> Result<()> {
        if self.kernels.is_empty() {
            bail!("it has no [[kernel]]");
        }
        for name in &self.modules {
            word::module("modules", name)?;
        }
        let mut ids = BTreeSet::new();
        for entry in &self.kernels {
            if !ids.insert(&entry.id) {
                bail!("kernel {} is there twice", entry.id);
            }
            if entry.packages.is_empty() || entry.suites.is_empty() {
                bail!(
                    "kernel {} needs at least one package and one suite",
                    entry.id
                );
            }
            entry
                .check_words()
                .with_context(|| format!("kernel {} is wrong", entry.id))?;
        }
        for entry in &self.kernels {
            match &entry.parent {
                Some(parent) if !ids.contains(parent) => bail!(
                    "kernel {} names the parent {parent}, which is not in the table",
                    entry.id
                ),
                _ => {}
            }
        }
        self.lineage().check_for_cycles()
    }

    /// Which kernel inherits from which.
    #[must_use]
    pub fn lineage(&self) -> Lineage {
        Lineage::new(
            self.kernels
                .iter()
                .map(|entry| (entry.id.clone(), entry.parent.clone())),
        )
    }

    /// The entry with this id.
    #[must_use]
    pub fn find(&self, id: &KernelId) -> Option<&KernelEntry> {
        self.kernels.iter().find(|entry| entry.id == *id)
    }

    /// All ids, joined for a message.
    #[must_use]
    pub fn ids(&self) -> String {
        let ids: Vec<_> = self
            .kernels
            .iter()
            .map(|entry| entry.id.to_string())
            .collect();
        ids.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    fn parse(kernels: &str) -> Result<Table, String> {
        Table::parse(&format!("modules = []\n{kernels}"), "kernels.toml")
            .map_err(|error| format!("{error:#}"))
    }

    fn entry(id: &str, more: &str) -> String {
        format!(
            "[[kernel]]\nid = \"{id}\"\nsuites = [\"s\"]\nrelease = \"r\"\npackages = [\"p\"]\n{more}\n"
        )
    }

    #[test]
    fn kernels_are_in_the_order_of_their_releases() {
        let table = parse(&(entry("6.12", "") + &entry("6.1", ""))).unwrap();
        assert_eq!(table.ids(), "6.1, 6.12");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        assert!(
            parse(&entry("6.1", "pakages = []"))
                .unwrap_err()
                .contains("pakages")
        );
    }

    #[test]
    fn an_id_that_is_there_twice_is_an_error() {
        let error = parse(&(entry("6.1", "") + &entry("6.1", ""))).unwrap_err();
        assert_eq!(
            error,
            "failed to read kernels.toml: kernel 6.1 is there twice"
        );
    }

    #[test]
    fn a_suite_that_would_add_a_source_is_an_error_that_names_the_key() {
        let hostile = entry("6.1", "").replace("\"s\"", r#""s main\ndeb [trusted=yes] file:/x s""#);
        let error = parse(&hostile).unwrap_err();
        assert!(error.contains("kernel 6.1 is wrong: suites = "), "{error}");
    }

    #[test]
    fn a_package_or_a_release_that_is_a_path_is_an_error_that_names_the_key() {
        let error = parse(&entry("6.1", "").replace("\"p\"", "\"../p\"")).unwrap_err();
        assert!(error.contains("packages = \"../p\""), "{error}");
        let error = parse(&entry("6.1", "").replace("\"r\"", "\"../r\"")).unwrap_err();
        assert!(error.contains("release = \"../r\""), "{error}");
    }

    #[test]
    fn a_module_that_is_a_path_is_an_error_that_names_the_key() {
        let text = format!("modules = [\"../m\"]\n{}", entry("6.1", ""));
        let error = format!("{:#}", Table::parse(&text, "x").unwrap_err());
        assert!(error.contains("modules = \"../m\""), "{error}");
    }

    #[test]
    fn a_cycle_of_parents_is_an_error() {
        let error =
            parse(&(entry("6.1", "parent = \"6.12\"") + &entry("6.12", "parent = \"6.1\"")))
                .unwrap_err();
        assert!(error.contains("6.1 -> 6.12 -> 6.1"), "{error}");
    }

    #[test]
    fn a_parent_that_is_not_in_the_table_is_an_error() {
        let error = parse(&entry("6.1", "parent = \"5.10\"")).unwrap_err();
        assert!(
            error.contains("names the parent 5.10, which is not in the table"),
            "{error}"
        );
    }

    #[test]
    fn the_table_of_the_repository_is_sound() {
        let table = Table::parse(include_str!("../../vm/kernels.toml"), "vm/kernels.toml").unwrap();
        assert!(table.kernels.len() >= 11);
    }
}
