//! Which package is taken: the pinned one while it can be had, else the newest of its series.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use debversion::Version;

use super::Pinned;

/// Where packages come from.
pub trait Archive {
    /// Downloads one package to `file` and checks its sha256.
    ///
    /// # Errors
    ///
    /// The package is gone, or it could not be downloaded for another reason.
    fn download(&self, pinned: &Pinned, file: &Path) -> Result<(), Unavailable>;

    /// Reads the signed lists and names the packages that fit a pattern, in any order.
    ///
    /// # Errors
    ///
    /// The lists cannot be read or their signature is wrong.
    fn listed(&self, pattern: &str, of: &str) -> Result<Vec<Pinned>>;
}

/// Which releases are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Releases {
    /// Those of the lock, or what takes the place of one that is gone.
    Pinned,
    /// The newest, which are pinned from then on.
    Newest,
}

/// Why a package cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The archive has it no longer: the one reason to take another one.
    #[error("{0}")]
    Gone(String),
    /// Anything else: a wrong checksum, a full disk, no network.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
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
    /// Downloads what is pinned, or what takes its place when that is gone, into a directory.
    ///
    /// # Errors
    ///
    /// The pinned packages are there and cannot be downloaded; or they are gone and no other
    /// release of the series can be had, with both reasons.
    pub fn get(&self, archive: &dyn Archive, directory: &Path) -> Result<Got> {
        if self.pinned.is_empty() {
            return self.get_newest(archive, directory);
        }
        match download_all(archive, self.pinned, directory) {
            Ok(got) => Ok(got),
            Err(Unavailable::Gone(gone)) => self.get_newest(archive, directory).map_err(|error| {
                anyhow::anyhow!("{gone}; and the newest of the series instead: {error:#}")
            }),
            Err(Unavailable::Failed(error)) => Err(error),
        }
    }

    /// Downloads the newest release of the series, whatever is pinned.
    ///
    /// The newest that is listed can be gone from the archive: then the next one is tried.
    ///
    /// # Errors
    ///
    /// No release of the series is in the archive, or one that is cannot be downloaded.
    pub fn get_newest(&self, archive: &dyn Archive, directory: &Path) -> Result<Got> {
        let Some(first) = self.packages.first() else {
            bail!("{} names no package", self.of)
        };
        let pattern = first.replace("{release}", self.release);
        let candidates = newest_first(archive.listed(&pattern, self.of)?)?;
        let mut reasons = Vec::new();
        for candidate in candidates {
            match self.get_release(archive, directory, first, candidate) {
                Ok(got) => return Ok(got),
                Err(Unavailable::Gone(reason)) => reasons.push(reason),
                Err(Unavailable::Failed(error)) => return Err(error),
            }
        }
        reasons.dedup();
        match reasons.is_empty() {
            true => bail!("no package {pattern} is listed"),
            false => bail!("no package {pattern} is available: {}", reasons.join("; ")),
        }
    }

    fn get_release(
        &self,
        archive: &dyn Archive,
        directory: &Path,
        first: &str,
        candidate: Pinned,
    ) -> Result<Got, Unavailable> {
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
        download_all(archive, &packages, directory)
    }

    /// A package of the same version; from the lock when the lists have forgotten it.
    fn listed_or_pinned(
        &self,
        archive: &dyn Archive,
        name: &str,
        version: &str,
    ) -> Result<Pinned, Unavailable> {
        let listed = archive.listed(name, self.of)?;
        let mut all = listed.into_iter().chain(self.pinned.iter().cloned());
        all.find(|pinned| pinned.name == name && pinned.version == version)
            .ok_or_else(|| {
                Unavailable::Gone(format!("{name} {version} is neither listed nor pinned"))
            })
    }
}

/// In Debian's order (deb-version(7)): `7.4~rc1-1` is older than `7.4-1`.
fn newest_first(packages: Vec<Pinned>) -> Result<Vec<Pinned>> {
    let version = |package: Pinned| {
        let version: Result<Version, _> = package.version.parse();
        let version = version.map_err(|_| {
            let (name, version) = (&package.name, &package.version);
            anyhow::anyhow!("{name} is listed with {version:?}, which is not a version")
        })?;
        Ok((version, package))
    };
    let mut versions: Vec<_> = packages.into_iter().map(version).collect::<Result<_>>()?;
    versions.sort_by(|(one, _), (two, _)| two.cmp(one));
    Ok(versions.into_iter().map(|(_, package)| package).collect())
}

fn download_all(
    archive: &dyn Archive,
    packages: &[Pinned],
    directory: &Path,
) -> Result<Got, Unavailable> {
    let mut files = Vec::new();
    for package in packages {
        let file = directory.join(format!("{}.deb", package.name));
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

    /// An archive that lists some packages, has lost others, and has others that are broken.
    #[derive(Default)]
    struct Fake {
        listed: Vec<Pinned>,
        gone: Vec<&'static str>,
        broken: Vec<&'static str>,
    }

    impl Archive for Fake {
        fn download(&self, pinned: &Pinned, _file: &Path) -> Result<(), Unavailable> {
            let version = pinned.version.as_str();
            if self.gone.contains(&version) {
                return Err(Unavailable::Gone(format!("{version} is gone")));
            }
            if self.broken.contains(&version) {
                return Err(anyhow::anyhow!("{version} has a wrong checksum").into());
            }
            Ok(())
        }

        fn listed(&self, pattern: &str, _of: &str) -> Result<Vec<Pinned>> {
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
            ..Fake::default()
        };
        assert_eq!(
            get(&fake, &[package("k-6.1.7", "7")], &["k-{release}"]).unwrap(),
            ["k-6.1.7 7"]
        );
    }

    #[test]
    fn when_it_is_gone_the_newest_that_can_be_had_takes_its_place() {
        // The list is in no order: the first of it and the newest are both wrong.
        let fake = Fake {
            listed: vec![
                package("k-6.1.8", "8"),
                package("k-6.1.10", "10"),
                package("k-6.1.9", "9"),
            ],
            gone: vec!["7", "10"],
            ..Fake::default()
        };
        assert_eq!(
            get(&fake, &[package("k-6.1.7", "7")], &["k-{release}"]).unwrap(),
            ["k-6.1.9 9"]
        );
    }

    #[test]
    fn what_is_there_and_broken_is_an_error_and_nothing_takes_its_place() {
        let fake = Fake {
            listed: vec![package("k-6.1.8", "8"), package("k-6.1.9", "9")],
            gone: vec!["6"],
            broken: vec!["7", "9"],
        };
        for (pinned, broken) in [("7", "7"), ("6", "9")] {
            let error = get(&fake, &[package("k-6.1", pinned)], &["k-{release}"]).unwrap_err();
            let text = format!("{error:#}");
            assert!(
                text.contains(&format!("{broken} has a wrong checksum")),
                "{text}"
            );
        }
    }

    /// The order in which an archive without any of these is asked for them.
    fn order(versions: &[&str]) -> Vec<String> {
        let packages = versions.iter().map(|version| package("k", version));
        let sorted = newest_first(packages.collect()).unwrap();
        sorted.into_iter().map(|package| package.version).collect()
    }

    #[test]
    fn the_newest_is_debians_newest_whatever_the_order_of_the_list() {
        // Each pair as `dpkg --compare-versions NEWER gt OLDER` says it.
        for [newer, older] in [
            ["6.12.10-1", "6.12.9-1"],
            ["5.10.262-1", "5.10.251-1"],
            ["7.4-1", "7.4~rc1-1~exp1"],
            ["6.19.14-1", "6.19.14-1~bpo13+1"],
            ["6.1.176-1+b1", "6.1.176-1"],
            ["1:6.1-1", "6.12-1"],
        ] {
            assert_eq!(order(&[newer, older]), [newer, older]);
            assert_eq!(order(&[older, newer]), [newer, older]);
        }
    }

    #[test]
    fn what_is_listed_without_a_version_is_an_error_that_names_it() {
        let error = newest_first(vec![package("k", "6.1_x")]).unwrap_err();
        assert!(
            error.to_string().contains("k is listed with \"6.1_x\""),
            "{error}"
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
            ..Fake::default()
        };
        let got = get(&fake, &[], &["k-{release}", "m-{release}"]).unwrap();
        assert_eq!(got, ["k-6.1.9 9", "m-6.1.9 9"]);
    }

    #[test]
    fn a_further_package_that_the_lists_have_forgotten_is_the_pinned_one_of_its_name() {
        let fake = Fake {
            listed: vec![package("k-6.1.9", "9")],
            gone: vec!["8"],
            ..Fake::default()
        };
        let pinned = [
            package("k-6.1.8", "8"),
            package("z-6.1.9", "9"),
            package("m-6.1.9", "9"),
        ];
        let got = get(&fake, &pinned, &["k-{release}", "m-{release}"]).unwrap();
        assert_eq!(got, ["k-6.1.9 9", "m-6.1.9 9"]);
    }

    #[test]
    fn when_nothing_can_be_had_both_reasons_are_said() {
        let fake = Fake {
            gone: vec!["7"],
            ..Fake::default()
        };
        let error = get(&fake, &[package("k-6.1.7", "7")], &["k-{release}"]).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("7 is gone") && text.contains("k-6.1.* is listed"),
            "{text}"
        );
    }

    #[test]
    fn a_further_package_of_another_release_does_not_do() {
        let fake = Fake {
            listed: vec![package("k-6.1.9", "9"), package("m", "8")],
            ..Fake::default()
        };
        let error = get(&fake, &[], &["k-{release}", "m"]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("m 9 is neither listed nor pinned"),
            "{error:#}"
        );
    }
}
