//! A private apt root: the suites that we want, the system's keyring, nothing of its state.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context as _, Result, bail};
use globset::Glob;

use super::mirror::Mirror;
use super::{Archive, Pinned};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The lists of some suites, and downloads that are checked.
#[derive(Debug)]
pub struct Apt {
    root: PathBuf,
    mirror: Mirror,
    suites: Vec<String>,
    updated: OnceLock<()>,
}

impl Apt {
    /// Prepares a root for these suites below the cache; reads no list yet.
    ///
    /// # Errors
    ///
    /// No apt, no Debian archive, no Debian keyring, or a cache that cannot be written.
    pub fn prepare(cache: &Path, suites: &[String]) -> Result<Apt> {
        let mirror = Mirror::find()?;
        if !Path::new(KEYRING).exists() {
            bail!(
                "{KEYRING} is missing: install the package debian-archive-keyring (vm/setup does)"
            );
        }
        let root = cache.join("apt").join(suites.join("+"));
        let apt = Apt {
            root,
            mirror,
            suites: suites.to_vec(),
            updated: OnceLock::new(),
        };
        apt.write_files()
            .with_context(|| format!("failed to prepare {}", apt.root.display()))?;
        Ok(apt)
    }

    fn write_files(&self) -> Result<()> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(self.root.join(folder))?;
        }
        let mut sources = String::new();
        for suite in &self.suites {
            let uri = if suite.ends_with("-security") {
                &self.mirror.security
            } else {
                &self.mirror.debian
            };
            sources += &format!("deb [signed-by={KEYRING}] {uri} {suite} main\n");
        }
        std::fs::write(self.root.join("sources.list"), sources)?;
        std::fs::write(self.root.join("status"), "")?;
        let root = self.root.display();
        let config = format!(
            "Dir::Etc::sourcelist \"{root}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\n\
             Dir::State::status \"{root}/status\";\n\
             Dir::State::Lists \"{root}/lists\";\n\
             Dir::Cache \"{root}/cache\";\n\
             // As root, apt drops to a user who cannot write here.\n\
             APT::Sandbox::User \"root\";\n\
             APT::Architecture \"amd64\";\n\
             APT::Architectures {{ \"amd64\"; }};\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"2\";\n\
             Acquire::http::Timeout \"30\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             // The lists of an old suite are no longer renewed.\n\
             Acquire::Check-Valid-Until \"false\";\n"
        );
        std::fs::write(self.root.join("apt.conf"), config)?;
        Ok(())
    }

    /// Reads the suites' lists anew and checks their signatures.
    ///
    /// # Errors
    ///
    /// The mirror cannot be reached, or a signature is wrong.
    pub fn update(&self) -> Result<()> {
        let output = self.run("apt-get", &["update", "--error-on=any"])?;
        if !output.status.success() {
            bail!(
                "failed to read the lists of {}: {}",
                self.suites.join(", "),
                complaint(&output)
            );
        }
        Ok(())
    }

    /// The packages in the lists whose name fits a pattern, newest first.
    ///
    /// # Errors
    ///
    /// apt fails or writes something that is no package list.
    pub fn candidates(&self, pattern: &str, of: &str) -> Result<Vec<Pinned>> {
        let matcher = Glob::new(pattern)
            .with_context(|| format!("\"{pattern}\" is no pattern of package names"))?
            .compile_matcher();
        let prefix = pattern.split('*').next().unwrap_or_default();
        let names = self.run("apt-cache", &["pkgnames", prefix])?;
        let names = String::from_utf8_lossy(&names.stdout).into_owned();
        let mut found = Vec::new();
        for name in names.lines().filter(|name| matcher.is_match(name)) {
            let shown = self.run("apt-cache", &["show", name])?;
            let text = String::from_utf8_lossy(&shown.stdout).into_owned();
            found.extend(text.split("\n\n").filter_map(|stanza| package(stanza, of)));
        }
        found.sort_by_cached_key(|package| std::cmp::Reverse(natural(&package.version)));
        Ok(found)
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        Command::new(program)
            .env("APT_CONFIG", self.root.join("apt.conf"))
            .env("LC_ALL", "C")
            .args(args)
            .output()
            .with_context(|| format!("failed to run {program}"))
    }
}

impl Archive for Apt {
    /// Downloads one package to `file` and checks its sha256.
    fn download(&self, pinned: &Pinned, file: &Path) -> Result<()> {
        let archive = if pinned.path.starts_with("pool/updates/") {
            &self.mirror.security
        } else {
            &self.mirror.debian
        };
        let uri = format!("{archive}/{}", pinned.path.replace('+', "%2b"));
        let helper = "/usr/lib/apt/apt-helper";
        let sum = format!("SHA256:{}", pinned.sha256);
        let output = self.run(
            helper,
            &["download-file", &uri, &file.display().to_string(), &sum],
        )?;
        if !output.status.success() {
            bail!(
                "failed to download {} {}: {}",
                pinned.name,
                pinned.version,
                complaint(&output)
            );
        }
        Ok(())
    }

    fn newest(&self, pattern: &str, of: &str) -> Result<Vec<Pinned>> {
        // Once is enough for a run, and two at once would wait for each other's lock.
        static UPDATING: Mutex<()> = Mutex::new(());
        if self.updated.get().is_none() {
            let _alone = UPDATING.lock();
            self.update()?;
            self.updated.get_or_init(|| ());
        }
        self.candidates(pattern, of)
    }
}

/// What a failed apt said, on one line.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("E:") || line.starts_with("W:"))
        .collect();
    match lines.is_empty() {
        true => format!("{} without a reason", output.status),
        false => lines.join(" "),
    }
}

/// One stanza of `apt-cache show`.
fn package(stanza: &str, of: &str) -> Option<Pinned> {
    let field = |name: &str| {
        let mut lines = stanza.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    Some(Pinned {
        of: of.to_owned(),
        name: field("Package")?.to_owned(),
        version: field("Version")?.to_owned(),
        path: field("Filename")?.to_owned(),
        size: field("Size")?.parse().ok()?,
        sha256: field("SHA256")?.to_owned(),
    })
}

/// Splits a version into numbers and the rest, so that 10 comes behind 9.
fn natural(version: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = version;
    while !rest.is_empty() {
        let text = rest.len() - rest.trim_start_matches(|c: char| !c.is_ascii_digit()).len();
        let (word, tail) = rest.split_at(text);
        let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = tail.split_at(digits);
        parts.push((word.to_owned(), number.parse().unwrap_or(0)));
        rest = tail;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_is_a_package() {
        let stanza = "Package: a\nVersion: 1-1\nFilename: pool/a.deb\nSize: 3\nSHA256: ff\n";
        assert_eq!(package(stanza, "6.1").unwrap().path, "pool/a.deb");
    }

    #[test]
    fn a_stanza_without_a_checksum_is_none() {
        assert!(package("Package: a\nVersion: 1\n", "6.1").is_none());
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(natural("6.12.10-1") > natural("6.12.9-1"));
        assert!(natural("5.10.262-1") > natural("5.10.251-1"));
    }
}
