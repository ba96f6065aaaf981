//! Where records come from: which exetrail, on which machine, of which files.
//!
//! It stands in one file beside the records, because a record is the same bytes whoever made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{bound, files};

/// The name of the file in a directory of records.
pub const FILE: &str = "provenance.json";

/// What one run stood on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program that made the records.
    pub exetrail: Program,
    /// How guests ran; none for a run of the running kernel alone.
    pub machine: Option<Machine>,
    /// One SHA-256 of the files of the fixture, the root of each guest that has none of its own.
    pub fixture: String,
    /// The kernels, by the name that they have in records.
    pub kernels: BTreeMap<String, Kernel>,
}

/// The program that made the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its release.
    pub release: String,
    /// The commit that it was built from; none for sources that were no commit's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// A hash of its sources, as command and launcher know each other by.
    pub build: String,
}

/// How guests ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// What QEMU says of itself.
    pub qemu: String,
    /// `kvm` or `tcg`.
    pub accelerator: String,
    /// The CPU model of a guest.
    pub cpu: String,
    /// Virtual CPUs of a guest.
    pub cpus: u32,
    /// Parameters of the kernels beside exetrail's own.
    pub parameters: String,
}

/// A kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its release, as far as it was known before the boot.
    pub release: String,
    /// The packages that it is from; none for a kernel that is not of the table.
    pub packages: Vec<Package>,
    /// SHA-256 of the kernel that was taken out of an image that the user named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl Kernel {
    /// Whether records of the one may take the place of the other's; a note of an older exetrail has no image.
    fn is(&self, other: &Kernel) -> bool {
        let image = match (&self.image, &other.image) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        };
        image && self.release == other.release && self.packages == other.packages
    }

    /// Its release, with what tells it from another one of that release.
    fn words(&self) -> String {
        let package = self.packages.first();
        let image = self.image.as_ref();
        let of = package.map(|package| format!("of {} {}", package.name, package.version));
        let of = of.or(image.map(|image| format!("an image, {image:.12}")));
        of.map_or_else(
            || self.release.clone(),
            |of| format!("{} ({of})", self.release),
        )
    }
}

/// A package of a distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// The file: every run that put records into the directory, in the order in which they came.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Runs {
    runs: Vec<Provenance>,
}

/// Notes in a directory of records where those of this run come from; a run that is noted already
/// changes nothing.
///
/// # Errors
///
/// The file cannot be read or written.
pub fn note(directory: &Path, provenance: &Provenance) -> Result<()> {
    let file = directory.join(FILE);
    let context = || failed(&file);
    fs::create_dir_all(directory).with_context(context)?;
    // Another run may be adding to it.
    let _held = files::hold(&file).with_context(context)?;
    let mut known = known(&file)?;
    if known.runs.contains(provenance) {
        return Ok(());
    }
    let is_new = known.runs.is_empty();
    known.runs.push(provenance.clone());
    let text = serde_json::to_string_pretty(&known).with_context(context)? + "\n";
    let written = files::replace(&file, text.as_bytes()).with_context(context);
    if written.is_err() && is_new {
        // What was made to be held says nothing.
        let _ = fs::remove_file(&file);
    }
    written
}

/// Makes a directory of records where there is none, and refuses one in which [`note`] would fail, or records of these
/// kernels would take the place of another kernel's.
///
/// # Errors
///
/// The directory cannot be made or written, its file not be read, or it has records of a kernel that has the name of one
/// of these.
pub fn prepare(directory: &Path, kernels: &BTreeMap<String, Kernel>) -> Result<()> {
    let context = || format!("failed to keep records in {}", directory.display());
    fs::create_dir_all(directory)
        .with_context(|| format!("failed to make {} for records", directory.display()))?;
    for run in known(&directory.join(FILE))?.runs {
        for (label, own) in kernels {
            if let Some(other) = run.kernels.get(label).filter(|other| !own.is(other)) {
                bail!(
                    "{} has records of another {label}, {}, whose place those of {} would take: name another directory",
                    directory.display(),
                    other.words(),
                    own.words()
                );
            }
        }
    }
    let probe = tempfile::NamedTempFile::new_in(directory);
    probe.map(drop).with_context(context)
}

/// The runs that are noted already.
fn known(file: &Path) -> Result<Runs> {
    let context = || failed(file);
    if !file.exists() {
        return Ok(Runs::default());
    }
    match bound::file(file, bound::RECORD)
        .with_context(context)?
        .as_slice()
    {
        // One that was made to be held, and nothing more.
        b"" => Ok(Runs::default()),
        text => serde_json::from_slice(text).with_context(context),
    }
}

fn failed(file: &Path) -> String {
    let file = file.display();
    format!("failed to note where records come from in {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provenance(build: &str) -> Provenance {
        Provenance {
            exetrail: Program {
                release: "1.0.0".into(),
                commit: None,
                build: build.into(),
            },
            machine: None,
            fixture: "00".into(),
            kernels: BTreeMap::new(),
        }
    }

    fn noted(builds: &[&str]) -> String {
        let directory = tempfile::tempdir().unwrap();
        for build in builds {
            note(directory.path(), &provenance(build)).unwrap();
        }
        fs::read_to_string(directory.path().join(FILE)).unwrap()
    }

    #[test]
    fn the_same_run_twice_is_noted_once() {
        assert_eq!(noted(&["a", "a"]), noted(&["a"]));
    }

    #[test]
    fn runs_side_by_side_are_all_noted() {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for build in 0..8 {
                let directory = directory.path();
                scope.spawn(move || note(directory, &provenance(&build.to_string())).unwrap());
            }
        });
        let file = directory.path().join(FILE);
        let known: Runs = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(known.runs.len(), 8);
        let plain = directory.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions();
        assert_eq!(mode(&file), mode(&plain));
    }

    #[test]
    fn another_build_is_noted_after_the_first() {
        let text = noted(&["b", "a"]);
        assert!(text.find("\"b\"").unwrap() < text.find("\"a\"").unwrap());
    }

    #[test]
    fn what_is_damaged_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        fs::write(&file, "{").unwrap();
        for error in [
            note(directory.path(), &provenance("a")).unwrap_err(),
            prepare(directory.path(), &BTreeMap::new()).unwrap_err(),
        ] {
            assert!(format!("{error:#}").contains(FILE), "{error:#}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "{");
    }

    /// What becomes of records of the second kernel in a directory that has those of the first.
    fn after(first: (&str, Option<&str>), second: (&str, Option<&str>)) -> Result<(), String> {
        let [first, second] = [first, second].map(|(release, image)| {
            let kernel = Kernel {
                release: release.into(),
                packages: Vec::new(),
                image: image.map(ToOwned::to_owned),
            };
            BTreeMap::from([("6.12".to_owned(), kernel)])
        });
        let directory = tempfile::tempdir().unwrap();
        let mut noted = provenance("a");
        noted.kernels = first;
        note(directory.path(), &noted).unwrap();
        prepare(directory.path(), &second).map_err(|error| error.to_string())
    }

    #[test]
    fn records_of_another_kernel_of_the_series_are_not_replaced() {
        let error = after(("6.12.1", None), ("6.12.2", Some("beef"))).unwrap_err();
        let words =
            "has records of another 6.12, 6.12.1, whose place those of 6.12.2 (an image, beef)";
        assert!(error.contains(words), "{error}");
        assert!(after(("6.12.1", Some("a")), ("6.12.1", Some("b"))).is_err());
        assert!(after(("6.12.1", Some("a")), ("6.12.1", Some("a"))).is_ok());
        assert!(after(("6.12.1", None), ("6.12.1", Some("a"))).is_ok());
    }

    #[test]
    fn the_documented_schema_is_that_of_the_types() {
        crate::schema::holds("provenance", &schemars::schema_for!(Runs));
    }
}
