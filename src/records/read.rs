//! Reads what was kept, and refuses what is not whole, not known or there twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::provenance;
use crate::bound;
use crate::trail::{KernelId, LabKind};
use crate::view::{Record, SCHEMA};

/// What tells a record from other JSON, and how new it is.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Scenario and kernel; the running kernel comes last, whatever its series.
type Key = (String, bool, Option<KernelId>);

/// All records below these directories, by scenario, then by kernel.
///
/// `knows` tells whether there is a scenario of that name.
///
/// # Errors
///
/// The first file that is not a record, damaged, newer than this program, of an unknown scenario or
/// kernel, or there twice; with its name.
pub fn read(directories: &[PathBuf], knows: &dyn Fn(&str) -> bool) -> Result<Vec<Record>> {
    let mut found: BTreeMap<Key, (PathBuf, Record)> = BTreeMap::new();
    for directory in directories {
        for file in files(directory)? {
            let (id, record) = one(&file, knows)
                .with_context(|| format!("failed to read the record {}", file.display()))?;
            let native = record.kernel.lab == LabKind::Native;
            let id = (!native).then_some(id);
            let key = (record.scenario.clone(), native, id);
            if let Some((other, _)) = found.get(&key) {
                bail!(
                    "{} and {} are both records of {} on {}: remove one of them",
                    other.display(),
                    file.display(),
                    key.0,
                    record.kernel.label()
                );
            }
            found.insert(key, (file, record));
        }
    }
    if found.is_empty() {
        let names: Vec<_> = directories
            .iter()
            .map(|f| f.display().to_string())
            .collect();
        bail!(
            "there are no records in {}: `exetrail run --records DIR` keeps them",
            names.join(", ")
        );
    }
    Ok(found.into_values().map(|(_, record)| record).collect())
}

/// Every record below a directory: all files but hidden ones and what tells of their origin, by
/// name.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("failed to list the records in {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") || name == provenance::FILE {
            continue;
        }
        match entry.file_type().with_context(context)?.is_dir() {
            true => files.extend(self::files(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    files.sort();
    Ok(files)
}

fn one(file: &Path, knows: &dyn Fn(&str) -> bool) -> Result<(KernelId, Record)> {
    let text = bound::file(file, bound::RECORD)?;
    let json: serde_json::Value =
        serde_json::from_slice(&text).context("it is damaged, or no JSON at all")?;
    let head =
        Head::deserialize(&json).context("it is not a record of exetrail: it has no schema")?;
    if head.schema > SCHEMA {
        bail!(
            "it was written by a newer exetrail: its schema is {}, this one reads up to {SCHEMA}",
            head.schema
        );
    }
    let record: Record =
        serde_json::from_value(json).context("it is not a record of exetrail, or a damaged one")?;
    if !knows(&record.scenario) {
        bail!(
            "it is foreign: there is no scenario \"{}\" (records of a suite take --suite DIR)",
            record.scenario
        );
    }
    let id = record.kernel.id.parse::<KernelId>();
    let id = id.map_err(|reason| anyhow::anyhow!("it is foreign: {reason}"))?;
    Ok((id, record))
}

#[cfg(test)]
mod tests {
    use super::super::keep;
    use super::*;
    use crate::trail::Outcome;
    use crate::view::tests;

    fn record(kernel: &str) -> Record {
        tests::record("start/a", kernel, Outcome::Broken)
    }

    fn kept(records: &[Record]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for record in records {
            keep(dir.path(), record).unwrap();
        }
        dir
    }

    fn read_all(directories: &[&tempfile::TempDir]) -> Result<Vec<Record>, String> {
        let directories: Vec<_> = directories
            .iter()
            .map(|dir| dir.path().to_owned())
            .collect();
        read(&directories, &|name| name == "start/a").map_err(|error| format!("{error:#}"))
    }

    /// The error for a directory whose only record's text was changed.
    fn refused(change: impl Fn(&str) -> String) -> String {
        let dir = kept(&[record("6.1")]);
        let file = dir.path().join("start/a/6.1.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, change(&text)).unwrap();
        let error = read_all(&[&dir]).unwrap_err();
        assert!(error.contains("start/a/6.1.json"), "{error}");
        error
    }

    #[test]
    fn records_come_in_the_order_of_kernels_whatever_directory_they_are_in() {
        let (one, other) = (
            kept(&[record("6.12")]),
            kept(&[record("6.1"), record("7.0")]),
        );
        let ids: Vec<_> = read_all(&[&one, &other])
            .unwrap()
            .iter()
            .map(|record| record.kernel.id.clone())
            .collect();
        assert_eq!(ids, ["6.1", "6.12", "7.0"]);
    }

    #[test]
    fn a_record_that_is_there_twice_is_refused_with_both_names() {
        let (one, other) = (kept(&[record("6.1")]), kept(&[record("6.1")]));
        let error = read_all(&[&one, &other]).unwrap_err();
        assert_eq!(error.matches("start/a/6.1.json").count(), 2, "{error}");
    }

    #[test]
    fn a_damaged_record_is_refused() {
        assert!(refused(|text| text[..40].to_owned()).contains("damaged"));
    }

    #[test]
    fn a_newer_record_is_refused_before_its_form_is_looked_at() {
        let error = refused(|_| "{\"schema\":99,\"new\":true}".to_owned());
        assert!(
            error.contains("newer exetrail: its schema is 99"),
            "{error}"
        );
    }

    #[test]
    fn a_record_of_an_unknown_scenario_is_foreign() {
        assert!(refused(|text| text.replace("start/a", "start/b")).contains("foreign"));
    }

    #[test]
    fn a_record_of_what_is_no_kernel_is_foreign() {
        assert!(refused(|text| text.replace("\"6.1\"", "\"six\"")).contains("foreign"));
    }

    #[test]
    fn where_records_come_from_is_no_record() {
        let dir = kept(&[record("6.1")]);
        fs::write(dir.path().join(provenance::FILE), "{\"runs\":[]}").unwrap();
        assert_eq!(read_all(&[&dir]).unwrap().len(), 1);
    }

    #[test]
    fn other_json_is_no_record() {
        assert!(refused(|_| "{\"name\":\"x\"}".to_owned()).contains("not a record"));
    }

    #[test]
    fn an_empty_directory_is_an_error() {
        assert!(read_all(&[&kept(&[])]).unwrap_err().contains("no records"));
    }
}
