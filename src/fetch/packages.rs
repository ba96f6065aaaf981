//! Debian packages that a user names, with what they depend on, out of the archive or the cache.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::apt::Apt;
use super::contents::{Contents, Trust};
use super::hexadecimal;
use super::work::{Work, put_in_place};
use crate::vm::word;

#[derive(Debug, Serialize, Deserialize)]
struct Description {
    /// What was asked for.
    names: Vec<String>,
    contents: Contents,
}

/// The files of these packages of some suites and of all that they depend on; downloaded once.
///
/// # Errors
///
/// A name that is none, a package that the suites do not have, or no archive.
pub fn fetch_packages(cache: &Path, suites: &[String], names: &[String]) -> Result<Vec<PathBuf>> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    for name in &names {
        word::package("--packages", name)?;
    }
    let digest = Sha256::digest(format!("{suites:?} {names:?}"));
    let key = hexadecimal(&digest[..8]);
    let place = cache.join("packages").join(key);
    let found = super::read_description::<Description>(cache, &place.join("packages.json"))?;
    let contents = match found {
        Some(found) => {
            let used = found.contents.verify(&place, Trust::Stamps);
            used.with_context(|| {
                format!(
                    "the packages are not used: remove {} to fetch them again",
                    place.display()
                )
            })?;
            found.contents
        }
        None => download(cache, suites, &names, &place)?,
    };
    // Whatever else lies there was not fetched.
    let packages = contents.names().filter(|name| name.ends_with(".deb"));
    Ok(packages.map(|name| place.join(name)).collect())
}

fn download(cache: &Path, suites: &[String], names: &[String], place: &Path) -> Result<Contents> {
    tell!(
        "packages: fetching {} and what they depend on",
        names.join(", ")
    );
    let work = Work::begin(cache)?;
    let apt = Apt::prepare(cache, suites)?;
    let new = work.path().join("new");
    fs::create_dir_all(new.join("partial")).context("failed to make a directory for packages")?;
    apt.install(names, &new)?;
    fs::remove_dir_all(new.join("partial")).context("failed to leave apt's directory")?;
    let _ = fs::remove_file(new.join("lock"));
    let contents = Contents::of(&new)?;
    if !contents.names().any(|name| name.ends_with(".deb")) {
        bail!("apt has downloaded nothing for {}", names.join(", "));
    }
    let description = Description {
        names: names.to_vec(),
        contents,
    };
    fs::write(
        new.join("packages.json"),
        serde_json::to_vec_pretty(&description)?,
    )
    .context("failed to describe the packages")?;
    put_in_place(&new, place)?;
    Ok(description.contents)
}
