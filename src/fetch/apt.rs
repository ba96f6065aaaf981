//! A private apt root: the suites that we want, the system's keyring, nothing of its state.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail, ensure};
use globset::Glob;

use super::checksum::Checksum;
use super::mirror::Mirror;
use super::{Archive, Pinned, Unavailable, own};
use crate::arch;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Writes the configuration of a private apt root for these suites, for a user who wants their
/// sources; reads no list.
///
/// # Errors
///
/// As [`Apt::prepare`].
pub fn prepare_root(cache: &Path, suites: &[String]) -> Result<()> {
    // Asking apt for the mirror takes a second, so only where there is none, or one from another
    // place.
    let root = cache.join("apt").join(suites.join("+"));
    let config = std::fs::read_to_string(root.join("apt.conf")).unwrap_or_default();
    if config.contains(&format!("\"{}/lists\"", root.display())) {
        return Ok(());
    }
    Apt::prepare(cache, suites).map(drop)
}

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
        if root.display().to_string().contains(['"', '\n', '\\']) {
            bail!(
                "{} cannot be written into an apt.conf: choose another EXETRAIL_CACHE",
                root.display()
            );
        }
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
        for directory in ["lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(self.root.join(directory))?;
        }
        own::metadata(&self.root)?;
        let mut sources = String::new();
        for suite in &self.suites {
            let uri = if suite.ends_with("-security") {
                &self.mirror.security
            } else {
                &self.mirror.debian
            };
            sources += &format!("deb [signed-by={KEYRING}] {uri} {suite} main\n");
        }
        self.write("sources.list", &sources)?;
        self.write("status", "")?;
        let (root, debian) = (self.root.display(), arch::DEBIAN);
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
             APT::Architecture \"{debian}\";\n\
             APT::Architectures {{ \"{debian}\"; }};\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"2\";\n\
             Acquire::http::Timeout \"30\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             // The lists of an old suite are no longer renewed.\n\
             Acquire::Check-Valid-Until \"false\";\n"
        );
        // Read after the system's own configuration, whose hooks of an update are not for these lists.
        self.write("last.conf", "#clear APT::Update;\n")?;
        self.write("apt.conf", &config)
    }

    /// In one step and only when it is another text: somebody else may be reading it.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let place = self.root.join(name);
        if std::fs::read_to_string(&place).is_ok_and(|old| old == text) {
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.persist(place)?;
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

    /// Reads the lists once a run. apt does not wait for another's lock on its lists.
    fn update_once(&self) -> Result<()> {
        if self.updated.get().is_none() {
            let path = self.root.join("update.lock");
            let context = || format!("failed to lock {}", path.display());
            let lock = File::create(&path).with_context(context)?;
            lock.lock().with_context(context)?;
            self.update()?;
            self.updated.get_or_init(|| ());
        }
        Ok(())
    }

    /// Downloads packages with what they depend on, as apt resolves it for a system that has nothing.
    ///
    /// # Errors
    ///
    /// The suites have no such package, or it cannot be downloaded.
    pub fn install(&self, names: &[String], directory: &Path) -> Result<()> {
        self.update_once()?;
        let place = format!("Dir::Cache::archives={}", directory.display());
        let mut words = vec![
            "--download-only",
            "--no-install-recommends",
            "-y",
            "-o",
            &place,
        ];
        // Nothing is installed: no state of apt is there to be locked.
        words.extend(["-o", "Debug::NoLocking=1", "install", "--"]);
        words.extend(names.iter().map(String::as_str));
        let output = self.run("apt-get", &words)?;
        if !output.status.success() {
            bail!(
                "failed to fetch {} from {}: {}",
                names.join(", "),
                self.suites.join(", "),
                complaint(&output)
            );
        }
        Ok(())
    }

    /// The packages in the lists whose name fits a pattern, in any order.
    ///
    /// # Errors
    ///
    /// apt cannot be run, or lists a package with a name, path or checksum that is none.
    pub fn candidates(&self, pattern: &str, of: &str) -> Result<Vec<Pinned>> {
        let matcher = Glob::new(pattern)
            .with_context(|| format!("\"{pattern}\" is not a pattern of package names"))?
            .compile_matcher();
        let prefix = pattern.split('*').next().unwrap_or_default();
        let names = self.listed(&["pkgnames", prefix])?;
        let mut found = Vec::new();
        for name in names.lines().filter(|name| matcher.is_match(name)) {
            let text = self.listed(&["show", name])?;
            for package in text.split("\n\n").filter_map(|stanza| package(stanza, of)) {
                package.check().context("failed to read the lists")?;
                found.push(package);
            }
        }
        Ok(found)
    }

    /// What apt-cache says; nothing of a name that no package has any more.
    fn listed(&self, args: &[&str]) -> Result<String> {
        let output = self.run("apt-cache", args)?;
        if !output.status.success() {
            let complaint = complaint(&output);
            let is_gone = complaint.contains("No packages found");
            ensure!(is_gone, "failed to ask the lists: {complaint}");
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        Command::new(program)
            .env("APT_CONFIG", self.root.join("apt.conf"))
            .env("LC_ALL", "C")
            .arg("-c")
            .arg(self.root.join("last.conf"))
            .args(args)
            .output()
            .with_context(|| format!("failed to run {program}"))
    }
}

impl Archive for Apt {
    fn download(&self, pinned: &Pinned, file: &Path) -> Result<(), Unavailable> {
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
            return Err(failure(pinned, &output));
        }
        // apt has compared it; that it did so is not taken on trust.
        let expected = Checksum {
            size: pinned.size,
            sha256: pinned.sha256.clone(),
        };
        Checksum::of(file)?
            .expect(&expected)
            .with_context(|| another(pinned))?;
        Ok(())
    }

    fn listed(&self, pattern: &str, of: &str) -> Result<Vec<Pinned>> {
        self.update_once()?;
        self.candidates(pattern, of)
    }
}

/// Why a download failed, from what apt said in the C locale.
fn failure(pinned: &Pinned, output: &Output) -> Unavailable {
    let text = String::from_utf8_lossy(&output.stderr);
    let reasons = text.lines().filter_map(|line| {
        let (_uri, reason) = line.strip_prefix("E: Failed to fetch ")?.split_once("  ")?;
        Some(reason)
    });
    let reasons: Vec<_> = reasons.collect();
    let is_gone = |reason: &&str| {
        // The methods http and file of apt, in this order.
        reason.starts_with("404 ")
            || reason.starts_with("File not found - ")
                && reason.ends_with("(2: No such file or directory)")
    };
    let what = format!("{} {}", pinned.name, pinned.version);
    if !reasons.is_empty() && reasons.iter().all(is_gone) {
        return Unavailable::Gone(format!("{what} is no longer in the archive"));
    }
    let told = if reasons
        .iter()
        .any(|reason| reason.contains("Hash Sum mismatch"))
    {
        another(pinned)
    } else if reasons
        .iter()
        .any(|reason| reason.contains("(28: No space left"))
    {
        format!("no space is left in the cache for {what}")
    } else {
        format!("failed to download {what}")
    };
    Unavailable::Failed(anyhow::anyhow!("{told}: {}", complaint(output)))
}

/// What is said of a package that is not the pinned one.
fn another(pinned: &Pinned) -> String {
    format!(
        "the archive's {} {} is not the package that is pinned, which has the sha256 {}",
        pinned.name, pinned.version, pinned.sha256
    )
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    const STANZA: &str = "Package: a\nVersion: 1-1\nFilename: pool/a.deb\nSize: 3\nSHA256: ff\n";

    #[test]
    fn a_stanza_is_a_package() {
        assert_eq!(package(STANZA, "6.1").unwrap().path, "pool/a.deb");
    }

    #[test]
    fn a_stanza_without_a_checksum_is_none() {
        assert!(package("Package: a\nVersion: 1\n", "6.1").is_none());
    }

    fn failed(stderr: &str) -> Unavailable {
        let pinned = package(STANZA, "6.1").unwrap();
        let output = Output {
            status: std::process::ExitStatus::from_raw(100 << 8),
            stdout: Vec::new(),
            stderr: stderr.as_bytes().to_vec(),
        };
        failure(&pinned, &output)
    }

    // What apt 2.6.1 wrote.
    #[test]
    fn a_package_that_the_archive_does_not_have_is_gone() {
        for reason in [
            "http://a/x.deb  404  Not Found [IP: 203.0.113.80 80]",
            "file:/a/x.deb  File not found - /a/x.deb (2: No such file or directory)",
        ] {
            let failure = failed(&format!(
                "E: Failed to fetch {reason}\nE: Download Failed\n"
            ));
            assert!(matches!(failure, Unavailable::Gone(_)), "{failure}");
        }
    }

    #[test]
    fn any_other_failure_is_told_as_what_it_is() {
        for (reason, told) in [
            (
                "file:/a/404 .deb  Hash Sum mismatch",
                "is not the package that is pinned",
            ),
            (
                "http://a/x  Error writing to file - write (28: No space left on device)",
                "no space is left",
            ),
            (
                "http://a/x  Could not resolve 'a'",
                "failed to download a 1-1: E: Failed",
            ),
            (
                "http://a/x  503  Service Unavailable",
                "503  Service Unavailable",
            ),
            (
                "file:/a/x  File not found - /a/x (13: Permission denied)",
                "Permission denied",
            ),
        ] {
            match failed(&format!(
                "E: Failed to fetch {reason}\nE: Download Failed\n"
            )) {
                Unavailable::Gone(text) => panic!("{text}"),
                Unavailable::Failed(error) => {
                    assert!(format!("{error:#}").contains(told), "{error:#}")
                }
            }
        }
        assert!(matches!(
            failed("E: Download Failed\n"),
            Unavailable::Failed(_)
        ));
    }
}
