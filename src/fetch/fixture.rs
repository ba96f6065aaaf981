//! The fixture: the root file system in which programs are started, as one cpio archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use super::apt::Apt;
use super::deb::{MemberKind, read_deb};
use super::elf::check_needs;
use super::resolve::Wanted;
use super::{Lock, Pinned};
use crate::vm::tree::{Entry, Tree};

/// `vm/fixture.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureTable {
    /// Debian suites that the packages are from.
    pub suites: Vec<String>,
    /// Packages and what is taken from them.
    #[serde(rename = "package")]
    pub packages: Vec<Source>,
    /// Folders with their modes.
    pub folders: BTreeMap<String, u32>,
    /// Symbolic links with their targets.
    pub links: BTreeMap<String, String>,
    /// Small files with their content.
    pub texts: BTreeMap<String, String>,
}

/// One package of the fixture.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Patterns of the paths that are taken.
    pub files: Vec<String>,
}

/// A fixture that is ready to use.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The cpio archive.
    pub archive: PathBuf,
    /// Said with every result when a pinned package was not to be had.
    pub substituted: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Description {
    /// The table that it was built from, as JSON.
    table: String,
    pinned: Vec<Pinned>,
    taken: Vec<Pinned>,
}

impl FixtureTable {
    /// Reads the table; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str, file: &str) -> Result<FixtureTable> {
        toml::from_str(text).with_context(|| format!("failed to read {file}"))
    }

    fn fingerprint(&self) -> Result<String> {
        serde_json::to_string(self).context("failed to write the fixture table as JSON")
    }
}

/// The fixture in the cache, when it is there and what table and lock ask for.
///
/// # Errors
///
/// The cache holds something that cannot be read.
pub fn load_fixture(cache: &Path, table: &FixtureTable, lock: &Lock) -> Result<Option<Fixture>> {
    let folder = cache.join("fixture");
    let Some(found) = super::read_description::<Description>(&folder.join("fixture.json"))? else {
        return Ok(None);
    };
    if found.pinned != lock.of("fixture") || found.table != table.fingerprint()? {
        return Ok(None);
    }
    let others = found
        .taken
        .iter()
        .filter(|taken| !found.pinned.contains(taken));
    let others: Vec<_> = others
        .map(|taken| format!("{} {}", taken.name, taken.version))
        .collect();
    let substituted = (!others.is_empty() && !found.pinned.is_empty()).then(|| {
        format!(
            "the fixture has {} because the pinned one can be had no more",
            others.join(", ")
        )
    });
    Ok(Some(Fixture {
        archive: folder.join("fixture.cpio"),
        substituted,
    }))
}

/// Downloads the fixture's packages and builds the archive; returns what it was built from.
///
/// # Errors
///
/// A package cannot be had, a pattern fits nothing, or a program needs what no package brings.
/// Nothing is left in the cache then.
pub fn fetch_fixture(
    cache: &Path,
    table: &FixtureTable,
    lock: &Lock,
    update: bool,
) -> Result<Vec<Pinned>> {
    let work = super::work_folder(cache)?;
    let apt = Apt::prepare(cache, &table.suites)?;
    let mut tree = Tree::default();
    let mut taken = Vec::new();
    let locked = lock.of("fixture");
    for source in &table.packages {
        let pinned: Vec<_> = locked
            .iter()
            .filter(|pinned| pinned.name == source.name)
            .cloned()
            .collect();
        let packages = [source.name.clone()];
        let wanted = Wanted {
            of: "fixture",
            packages: &packages,
            release: "",
            pinned: &pinned,
        };
        let got = if update {
            wanted.get_newest(&apt, work.path())
        } else {
            wanted.get(&apt, work.path())
        };
        let got =
            got.with_context(|| format!("failed to fetch {} for the fixture", source.name))?;
        for file in &got.files {
            take(source, file, &mut tree)?;
        }
        taken.extend(got.packages);
    }
    finish(table, &mut tree, work.path())?;
    check_needs(&tree)?;
    let new = work.path().join("new");
    fs::create_dir(&new).context("failed to make the fixture's folder")?;
    let archive =
        fs::File::create(new.join("fixture.cpio")).context("failed to write the fixture")?;
    let mut archive = std::io::BufWriter::new(archive);
    tree.write_cpio(&mut archive)
        .context("failed to write the fixture")?;
    std::io::Write::flush(&mut archive).context("failed to write the fixture")?;
    let pinned = if update { taken.clone() } else { locked };
    let description = Description {
        table: table.fingerprint()?,
        pinned,
        taken: taken.clone(),
    };
    fs::write(
        new.join("fixture.json"),
        serde_json::to_vec_pretty(&description)?,
    )
    .context("failed to describe the fixture")?;
    super::replace_folder(&new, &cache.join("fixture"))?;
    Ok(taken)
}

fn take(source: &Source, file: &Path, tree: &mut Tree) -> Result<()> {
    let patterns = globs(&source.files)?;
    let mut found = 0;
    for member in read_deb(file, |path| patterns.is_match(path))? {
        found += 1;
        let entry = match member.kind {
            MemberKind::File(bytes) => Entry::File {
                mode: member.mode,
                bytes,
            },
            MemberKind::Link(target) => Entry::Link(target),
        };
        // Older packages still ship /lib/... where /lib is a link to usr/lib.
        let path = match member.path.split_once('/') {
            Some(("bin" | "sbin" | "lib" | "lib64", _)) => format!("usr/{}", member.path),
            _ => member.path,
        };
        tree.add(&path, entry);
    }
    if found == 0 {
        bail!(
            "package {} holds none of {}",
            source.name,
            source.files.join(", ")
        );
    }
    Ok(())
}

fn globs(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).with_context(|| format!("\"{pattern}\" is no pattern"))?);
    }
    set.build().context("failed to combine patterns")
}

/// Adds folders, links and small files, and makes `/etc/ld.so.cache` with the fixture's ldconfig.
fn finish(table: &FixtureTable, tree: &mut Tree, work: &Path) -> Result<()> {
    for (path, mode) in &table.folders {
        tree.add(path, Entry::Folder(*mode));
    }
    for (path, target) in &table.links {
        tree.add(path, Entry::Link(target.clone()));
    }
    for (path, text) in &table.texts {
        tree.add(
            path,
            Entry::File {
                mode: 0o644,
                bytes: text.clone().into_bytes(),
            },
        );
    }
    let root = work.join("root");
    fs::create_dir(&root).context("failed to make a folder for ldconfig")?;
    tree.write_to(&root)?;
    // -X makes no links and -i keeps no state; the program is static, so any host can run it.
    let output = Command::new(root.join("usr/sbin/ldconfig"))
        .args(["-X", "-i", "-r"])
        .arg(&root)
        .env_clear()
        .output()
        .context("failed to run the fixture's ldconfig")?;
    if !output.status.success() {
        bail!(
            "the fixture's ldconfig failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let bytes = fs::read(root.join("etc/ld.so.cache")).context("ldconfig wrote no ld.so.cache")?;
    tree.add("etc/ld.so.cache", Entry::File { mode: 0o644, bytes });
    tree.remove("usr/sbin/ldconfig");
    Ok(())
}
