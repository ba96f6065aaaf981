//! Which package is taken: the pinned one while it can be had, else the newest of its series.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::Pinned;

/// Where packages come from.
pub trait Archive {
    /// Downloads one package to `file` and checks its sha256.
    ///
    /// # Errors
    ///
    /// The package is gone, the mirror cannot be reached, or the checksum is another.
    fn download(&self, pinned: &Pinned, file: &Path) -> Result<()>;

    /// Reads the signed lists and names the packages that fit a pattern, newest first.
    ///
    /// # Errors
    ///
    /// The lists cannot be read or their signature is wrong.
    fn newest(&self, pattern: &str, of: &str) -> Result<Vec<Pinned>>;
}

/// A group of packages of one release: what is wanted and what a substitute may be.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Kernel id, or `fixture`.
    pub of: &'a str,
    /// Names, the first of which decides the release; `{release}` stands for it.
    pub packages: &'a [String],
    /// Pattern of releases.
    pub release: &'a str,
    /// What the lock says, in the order of `packages`; empty when nothing is pinned.
    pub pinned: &'a [Pinned],
}

/// Downloaded packages.
#[derive(Debug)]
pub struct Got {
    /// What they are.
    pub packages: Vec<Pinned>,
    /// Where they are.
    pub files: Vec<PathBuf>,
}

impl Wanted<'_> {
    /// Downloads what is pinned, or what takes its place, into a folder.
    ///
    /// # Errors
    ///
    /// Neither the pinned packages nor any other release of the series can be had; both reasons.
    pub fn get(&self, archive: &dyn Archive, folder: &Path) -> Result<Got> {
        if self.pinned.is_empty() {
            return self.get_newest(archive, folder);
        }
        match download_all(archive, self.pinned, folder) {
            Ok(got) => Ok(got),
            Err(gone) => self.get_newest(archive, folder).map_err(|error| {
                anyhow::anyhow!("{gone:#}; and the newest of the series instead: {error:#}")
            }),
        }
    }

    /// Downloads the newest release of the series, whatever is pinned.
    ///
    /// The newest that is listed can be gone from the archive: then the next one is tried.
    ///
    /// # Errors
    ///
    /// No release of the series can be had.
    pub fn get_newest(&self, archive: &dyn Archive, folder: &Path) -> Result<Got> {
        let Some(first) = self.packages.first() else {
            bail!("{} names no package", self.of)
        };
        let candidates = archive.newest(&first.replace("{release}", self.release), self.of)?;
        let mut reasons = Vec::new();
        for candidate in candidates {
            match self.get_release(archive, folder, first, candidate) {
                Ok(got) => return Ok(got),
                Err(error) => reasons.push(format!("{error:#}")),
            }
        }
        reasons.dedup();
        let pattern = first.replace("{release}", self.release);
        match reasons.is_empty() {
            true => bail!("no package {pattern} is listed"),
            false => bail!("no package {pattern} can be had: {}", reasons.join("; ")),
        }
    }

    fn get_release(
        &self,
        archive: &dyn Archive,
        folder: &Path,
        first: &str,
        candidate: Pinned,
    ) -> Result<Got> {
        let (before, after) = first.split_once("{release}").unwrap_or((first, ""));
        let release = candidate
            .name
            .strip_prefix(before)
            .and_then(|r| r.strip_suffix(after));
        let release = release.unwrap_or_default().to_owned();
        let mut packages = vec![candidate];
        for name in self.packages.iter().skip(1) {
            let name = name.replace("{release}", &release);
            packages.push(self.listed_or_pinned(archive, &name, &packages[0].version)?);
        }
        download_all(archive, &packages, folder)
    }

    /// A package of the same version; from the lock when the lists have forgotten it.
    fn listed_or_pinned(&self, archive: &dyn Archive, name: &str, version: &str) -> Result<Pinned> {
        let listed = archive.newest(name, self.of)?;
        let mut all = listed.into_iter().chain(self.pinned.iter().cloned());
        match all.find(|pinned| pinned.name == name && pinned.version == version) {
            Some(pinned) => Ok(pinned),
            None => bail!("{name} {version} is neither listed nor pinned"),
        }
    }
}

fn download_all(archive: &dyn Archive, packages: &[Pinned], folder: &Path) -> Result<Got> {
    let mut files = Vec::new();
    for package in packages {
        let file = folder.join(format!("{}.deb", package.name));
        archive.download(package, &file)?;
        files.push(file);
    }
    Ok(Got {
        packages: packages.to_vec(),
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive that lists some packages and has lost others.
    struct Fake {
        listed: Vec<Pinned>,
        gone: Vec<&'static str>,
    }

    impl Archive for Fake {
        fn download(&self, pinned: &Pinned, _file: &Path) -> Result<()> {
            match self.gone.contains(&pinned.version.as_str()) {
                true => bail!("{} is gone", pinned.version),
                false => Ok(()),
            }
        }

        fn newest(&self, pattern: &str, _of: &str) -> Result<Vec<Pinned>> {
            let matcher = globset::Glob::new(pattern)?.compile_matcher();
            Ok(self
                .listed
                .iter()
                .filter(|pinned| matcher.is_match(&pinned.name))
                .cloned()
                .collect())
        }
    }

    fn package(name: &str, version: &str) -> Pinned {
        Pinned {
            of: "6.1".into(),
            name: name.into(),
            version: version.into(),
            path: String::new(),
            size: 0,
            sha256: String::new(),
        }
    }

    fn get(fake: &Fake, pinned: &[Pinned], packages: &[&str]) -> Result<Vec<String>> {
        let packages: Vec<_> = packages.iter().map(ToString::to_string).collect();
        let wanted = Wanted {
            of: "6.1",
            packages: &packages,
            release: "6.1.*",
            pinned,
        };
        let got = wanted.get(fake, Path::new("/nowhere"))?;
        Ok(got
            .packages
            .into_iter()
            .map(|p| format!("{} {}", p.name, p.version))
            .collect())
    }

    #[test]
    fn the_pinned_package_is_taken_while_it_can_be_had() {
        let fake = Fake {
            listed: vec![package("k-6.1.9", "9")],
            gone: vec![],
        };
        assert_eq!(
            get(&fake, &[package("k-6.1.7", "7")], &["k-{release}"]).unwrap(),
            ["k-6.1.7 7"]
        );
    }

    #[test]
    fn when_it_is_gone_the_newest_that_can_be_had_takes_its_place() {
        let fake = Fake {
            listed: vec![package("k-6.1.9", "9"), package("k-6.1.8", "8")],
            gone: vec!["7", "9"],
        };
        assert_eq!(
            get(&fake, &[package("k-6.1.7", "7")], &["k-{release}"]).unwrap(),
            ["k-6.1.8 8"]
        );
    }

    #[test]
    fn further_packages_are_of_the_same_release() {
        let fake = Fake {
            listed: vec![
                package("k-6.1.9", "9"),
                package("m-6.1.9", "9"),
                package("m-6.1.8", "8"),
            ],
            gone: vec![],
        };
        let got = get(&fake, &[], &["k-{release}", "m-{release}"]).unwrap();
        assert_eq!(got, ["k-6.1.9 9", "m-6.1.9 9"]);
    }

    #[test]
    fn when_nothing_can_be_had_both_reasons_are_said() {
        let fake = Fake {
            listed: vec![],
            gone: vec!["7"],
        };
        let error = get(&fake, &[package("k-6.1.7", "7")], &["k-{release}"]).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("7 is gone") && text.contains("k-6.1.* is listed"),
            "{text}"
        );
    }
}
