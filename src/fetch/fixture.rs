//! The fixture: the root file system in which programs are started, as one cpio archive a part.
//!
//! The guests of our scenarios have the base, and of the further parts those that scenarios of the boot
//! declare. What all parts have in common, such as `/etc/ld.so.cache`, is made from all of them and lies in
//! the base, so that a scenario sees the same whatever else its guest carries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::apt::Apt;
use super::contents::{Contents, Trust};
use super::deb::{MemberKind, read_deb};
use super::elf::check_needs;
use super::resolve::{Got, Releases, Wanted};
use super::work::{Work, put_in_place};
use super::{Lock, Pinned, hexadecimal};
use crate::below::Below;
use crate::vm::image::BASE;
use crate::vm::tree::{Entry, Tree};
use crate::vm::word;

/// The static program that makes `/etc/ld.so.cache`.
const LDCONFIG: &str = "usr/sbin/ldconfig";

/// `vm/fixture.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureTable {
    /// Debian suites that the packages are from.
    pub suites: Vec<String>,
    /// Packages and what is taken from them.
    #[serde(rename = "package")]
    pub packages: Vec<Source>,
    /// Directories with their modes.
    pub directories: BTreeMap<String, u32>,
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
    /// The part that they go to; none for the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// A fixture that is ready to use.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The cpio archive of each part, the base's among them.
    pub archives: BTreeMap<String, PathBuf>,
    /// SHA-256 of its files.
    pub digest: String,
    /// Said with every result when a pinned package was not to be had.
    pub substituted: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Description {
    /// The table that it was built from, as JSON.
    table: String,
    pinned: Vec<Pinned>,
    taken: Vec<Pinned>,
    /// Its files; empty in the cache of a version that kept no checksums.
    #[serde(default)]
    contents: Contents,
}

impl FixtureTable {
    /// Reads the table; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the name of the key.
    pub fn parse(text: &str, file: &str) -> Result<FixtureTable> {
        let context = || format!("failed to read {file}");
        let table: FixtureTable = toml::from_str(text).with_context(context)?;
        table.check().with_context(context)?;
        Ok(table)
    }

    /// The names of the parts, without the base.
    #[must_use]
    pub fn parts(&self) -> BTreeSet<&str> {
        let parts = self.packages.iter();
        parts.filter_map(|source| source.part.as_deref()).collect()
    }

    fn check(&self) -> Result<()> {
        for name in &self.suites {
            word::suite("suites", name)?;
        }
        for source in &self.packages {
            word::package("package.name", &source.name)?;
            if let Some(part) = &source.part {
                word::part("package.part", part)?;
                if part == BASE {
                    bail!(
                        "package.part of {} is base, which needs no name",
                        source.name
                    );
                }
            }
            for pattern in &source.files {
                Below::parse(pattern)
                    .with_context(|| format!("package.files of {}", source.name))?;
            }
        }
        self.add_to(&mut Tree::default())
    }

    /// Adds directories, symlinks and small files.
    fn add_to(&self, tree: &mut Tree) -> Result<()> {
        for (path, mode) in &self.directories {
            let key = || format!("directories.{path:?}");
            if mode & !0o7777 != 0 {
                bail!("{} = {mode:#o} is not a mode of a directory", key());
            }
            tree.add(path, Entry::Directory(*mode)).with_context(key)?;
        }
        for (path, target) in &self.links {
            tree.add(path, Entry::Link(target.clone()))
                .with_context(|| format!("links.{path:?}"))?;
        }
        for (path, text) in &self.texts {
            let bytes = text.clone().into_bytes().into();
            tree.add(path, Entry::File { mode: 0o644, bytes })
                .with_context(|| format!("texts.{path:?}"))?;
        }
        Ok(())
    }

    fn fingerprint(&self) -> Result<String> {
        serde_json::to_string(self).context("failed to write the fixture table as JSON")
    }
}

/// The fixture in the cache, when it is there and what table and lock ask for.
///
/// # Errors
///
/// The cache holds something that cannot be read, is not what was fetched, or is another user's.
pub fn load_fixture(
    cache: &Path,
    table: &FixtureTable,
    lock: &Lock,
    trust: Trust,
) -> Result<Option<Fixture>> {
    let directory = place(cache, table, lock)?;
    let Some(found) =
        super::read_description::<Description>(cache, &directory.join("fixture.json"))?
    else {
        return Ok(None);
    };
    if found.pinned != lock.of("fixture") || found.table != table.fingerprint()? {
        return Ok(None);
    }
    found.contents.verify(&directory, trust)?;
    let mut archives = BTreeMap::new();
    for part in table.parts().into_iter().chain([BASE]) {
        let name = file_of(part);
        if !found.contents.names().any(|known| known == name) {
            bail!("{} has no checksum", directory.join(name).display());
        }
        archives.insert(part.to_owned(), directory.join(name));
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
            "fixture: using {}, the pinned {} no longer in the archive",
            others.join(", "),
            if others.len() == 1 {
                "one is"
            } else {
                "ones are"
            }
        )
    });
    Ok(Some(Fixture {
        archives,
        digest: found.contents.digest(),
        substituted,
    }))
}

/// The archive of a part, in the entry's directory.
fn file_of(part: &str) -> String {
    format!("{part}.cpio")
}

/// Where the fixture of a table and a lock is: checkouts that differ in them share a cache.
fn place(cache: &Path, table: &FixtureTable, lock: &Lock) -> Result<PathBuf> {
    let pinned = serde_json::to_string(&lock.of("fixture")).context("failed to write a lock")?;
    let digest = Sha256::digest(format!("{}\n{pinned}", table.fingerprint()?));
    let key = hexadecimal(&digest[..8]);
    Ok(cache.join("fixtures").join(key))
}

/// Downloads the fixture's packages and builds the archive; returns what it was built from.
///
/// # Errors
///
/// A package cannot be had, a pattern fits nothing, or a program needs what no package brings.
/// Nothing of it is left in the cache then, but apt's lists.
pub fn fetch_fixture(
    cache: &Path,
    table: &FixtureTable,
    lock: &Lock,
    releases: Releases,
) -> Result<Vec<Pinned>> {
    let work = Work::begin(cache)?;
    let apt = Apt::prepare(cache, &table.suites)?;
    let mut tree = Tree::default();
    let mut parts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut taken = Vec::new();
    let locked = lock.of("fixture");
    let known = match releases {
        Releases::Pinned => locked.as_slice(),
        // Where nothing is pinned the newest is taken.
        Releases::Newest => &[],
    };
    for source in &table.packages {
        let got = get(source, known, &apt, work.path())?;
        for file in &got.files {
            let paths = take(source, file, &mut tree)?;
            if let Some(part) = &source.part {
                parts.entry(part).or_default().extend(paths);
            }
        }
        taken.extend(got.packages);
    }
    finish(table, &mut tree, work.path())?;
    check_needs(&tree)?;
    let new = work.path().join("new");
    write_parts(&mut tree, &parts, &new)?;
    let pinned = match releases {
        Releases::Pinned => locked,
        Releases::Newest => taken.clone(),
    };
    let mut lock = Lock::default();
    lock.packages.clone_from(&pinned);
    let description = Description {
        table: table.fingerprint()?,
        pinned,
        taken: taken.clone(),
        contents: Contents::of(&new)?,
    };
    fs::write(
        new.join("fixture.json"),
        serde_json::to_vec_pretty(&description)?,
    )
    .context("failed to describe the fixture")?;
    put_in_place(&new, &place(cache, table, &lock)?)?;
    Ok(taken)
}

/// Downloads the package of a source: the one that is pinned, or else the newest.
fn get(source: &Source, pinned: &[Pinned], apt: &Apt, directory: &Path) -> Result<Got> {
    let own = pinned.iter().filter(|pinned| pinned.name == source.name);
    let wanted = Wanted {
        of: "fixture",
        packages: std::slice::from_ref(&source.name),
        release: "",
        pinned: &own.cloned().collect::<Vec<_>>(),
    };
    wanted
        .get(apt, directory)
        .with_context(|| format!("failed to fetch {} for the fixture", source.name))
}

/// Writes an archive for each part, and one for what is of none.
fn write_parts(
    tree: &mut Tree,
    parts: &BTreeMap<&str, BTreeSet<String>>,
    new: &Path,
) -> Result<()> {
    fs::create_dir(new).context("failed to make the fixture's directory")?;
    for (part, paths) in parts {
        let own = tree.split(paths)?;
        write(&own, &new.join(file_of(part)))?;
    }
    write(tree, &new.join(file_of(BASE)))
}

fn write(tree: &Tree, file: &Path) -> Result<()> {
    let context = || format!("failed to write {}", file.display());
    let archive = fs::File::create(file).with_context(context)?;
    let mut archive = std::io::BufWriter::new(archive);
    tree.write_cpio(&mut archive).with_context(context)?;
    std::io::Write::flush(&mut archive).with_context(context)
}

/// Adds what is wanted of a package to the tree and returns its paths.
fn take(source: &Source, file: &Path, tree: &mut Tree) -> Result<Vec<String>> {
    let patterns = globs(&source.files)?;
    let mut found = Vec::new();
    for member in read_deb(file, |path| patterns.is_match(path))? {
        let entry = match member.kind {
            MemberKind::File(bytes) => Entry::File {
                mode: member.mode,
                bytes: bytes.into(),
            },
            MemberKind::Link(target) => Entry::Link(target),
        };
        // Older packages still ship /lib/... where /lib is a link to usr/lib.
        let path = match member.path.split_once('/') {
            Some(("bin" | "sbin" | "lib" | "lib64", _)) => format!("usr/{}", member.path),
            _ => member.path,
        };
        tree.add(&path, entry)
            .with_context(|| format!("package {} is refused", source.name))?;
        found.push(path);
    }
    if found.is_empty() {
        bail!(
            "package {} holds none of {}",
            source.name,
            source.files.join(", ")
        );
    }
    Ok(found)
}

fn globs(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).with_context(|| format!("\"{pattern}\" is not a pattern"))?);
    }
    set.build().context("failed to combine patterns")
}

/// Adds what the table names, and makes `/etc/ld.so.cache` with the fixture's ldconfig.
fn finish(table: &FixtureTable, tree: &mut Tree, work: &Path) -> Result<()> {
    table.add_to(tree)?;
    // What is executed is the package's own file, not what a symlink of the table says.
    if !matches!(tree.get(LDCONFIG), Some(Entry::File { .. })) {
        bail!("no package of the fixture brings /{LDCONFIG}: add it to vm/fixture.toml");
    }
    let root = work.join("root");
    fs::create_dir(&root).context("failed to make a directory for ldconfig")?;
    tree.write_to(&root)?;
    // -X makes no links and -i reads no auxiliary cache; the program is static, so the host needs no library of it.
    let output = Command::new(root.join(LDCONFIG))
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
    let bytes = bytes.into();
    tree.add("etc/ld.so.cache", Entry::File { mode: 0o644, bytes })?;
    tree.remove(LDCONFIG);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a table with this section, the others being empty.
    fn error(rest: &str) -> String {
        let mut text = "suites = [\"s\"]\n".to_owned();
        if !rest.contains("[[package]]") {
            text += "package = []\n";
        }
        for section in ["[directories]", "[links]", "[texts]"] {
            if !rest.contains(section) {
                text += &format!("{section}\n");
            }
        }
        let error = FixtureTable::parse(&(text + rest), "fixture.toml").unwrap_err();
        format!("{error:#}")
    }

    #[test]
    fn a_name_that_leads_out_is_an_error_that_names_the_key() {
        for section in ["directories", "links", "texts"] {
            let value = if section == "directories" {
                "0o755"
            } else {
                "\"x\""
            };
            for name in ["/etc/x", "../x", "a/../../x"] {
                let text = error(&format!("[{section}]\n{name:?} = {value}"));
                let key = format!("failed to read fixture.toml: {section}.{name:?}: ");
                assert!(text.starts_with(&key), "{text}");
            }
        }
    }

    #[test]
    fn a_name_below_a_symlink_is_an_error_that_names_the_key() {
        let text = error("[links]\n\"etc\" = \"/etc\"\n[texts]\n\"etc/cron.d/x\" = \"x\"");
        assert!(text.contains("texts.\"etc/cron.d/x\": "), "{text}");
        assert!(
            text.contains("leads through etc, a symlink to /etc"),
            "{text}"
        );
    }

    #[test]
    fn a_mode_that_is_more_than_permissions_is_an_error_that_names_the_key() {
        let text = error("[directories]\n\"etc\" = 0o120777");
        assert!(text.contains("directories.\"etc\" = 0o120777"), "{text}");
    }

    #[test]
    fn a_package_or_a_suite_that_is_a_path_is_an_error_that_names_the_key() {
        let text = error("[[package]]\nname = \"../x\"\nfiles = []");
        assert!(text.contains("package.name = \"../x\""), "{text}");
        let text = error("[[package]]\nname = \"x\"\nfiles = [\"../x\"]");
        assert!(text.contains("package.files of x: "), "{text}");
        let hostile = "suites = [\"s main\\ndeb [trusted=yes] file:/x s\"]\npackage = []\n\
                       [directories]\n[links]\n[texts]\n";
        let text = format!("{:#}", FixtureTable::parse(hostile, "x").unwrap_err());
        assert!(text.contains("suites = \"s main"), "{text}");
    }
}
