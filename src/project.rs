//! Where things are: the checkout's tables and snapshots, or the built-in copies, and the cache.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::baseline::Store;
use crate::bound;
use crate::fetch::{self, CachedKernel, Fixture, FixtureTable, Lock, Trust};
use crate::own;
use crate::trail::KernelId;
use crate::vm::table::Table;
use crate::vm::tool::Tools;

/// The tables, their locks and the cache.
#[derive(Debug)]
pub struct Project {
    /// The checkout that the command runs in; none outside of one.
    pub root: Option<PathBuf>,
    /// `vm/kernels.toml`.
    pub table: Table,
    /// `vm/kernels.lock`.
    pub kernels: Lock,
    /// `vm/fixture.toml`.
    pub fixture: FixtureTable,
    /// `vm/fixture.lock`.
    pub fixture_lock: Lock,
    /// Kernels and packages, outside of the repository.
    pub cache: PathBuf,
}

/// The tables as they were when this binary was built.
const BUILT_IN: [(&str, &str); 4] = [
    ("vm/kernels.toml", include_str!("../vm/kernels.toml")),
    ("vm/kernels.lock", include_str!("../vm/kernels.lock")),
    ("vm/fixture.toml", include_str!("../vm/fixture.toml")),
    ("vm/fixture.lock", include_str!("../vm/fixture.lock")),
];
/// The table of tools, which is read when one is asked for.
const TOOLS: (&str, &str) = ("vm/tools.toml", include_str!("../vm/tools.toml"));

/// A table of the checkout, or as it was when this binary was built.
fn text(root: Option<&Path>, (name, built_in): (&str, &str)) -> Result<String> {
    match root {
        Some(root) => bound::text(&root.join(name), bound::TEXT),
        None => Ok(built_in.to_owned()),
    }
}

impl Project {
    /// Reads the tables of the checkout around the working directory, or the built-in ones.
    ///
    /// # Errors
    ///
    /// A table that is wrong, or no place for a cache.
    pub fn open() -> Result<Project> {
        let here = std::env::current_dir().context("failed to find the working directory")?;
        Project::open_at(checkout_around(&here), cache_directory()?)
    }

    /// Reads the tables of a checkout, or the built-in ones where there is none.
    ///
    /// # Errors
    ///
    /// A table that is wrong.
    pub fn open_at(root: Option<PathBuf>, cache: PathBuf) -> Result<Project> {
        let texts = BUILT_IN.map(|own| text(root.as_deref(), own));
        let [kernels, kernels_lock, fixture, fixture_lock] = texts;
        Ok(Project {
            table: Table::parse(&kernels?, BUILT_IN[0].0)?,
            kernels: Lock::parse(&kernels_lock?, BUILT_IN[1].0)?,
            fixture: FixtureTable::parse(&fixture?, BUILT_IN[2].0)?,
            fixture_lock: Lock::parse(&fixture_lock?, BUILT_IN[3].0)?,
            root,
            cache,
        })
    }

    /// Where snapshots are read.
    #[must_use]
    pub fn store(&self) -> Store {
        match self.snapshots() {
            Some(directory) => Store::Directory(directory),
            None => Store::Embedded,
        }
    }

    /// The directory of the snapshots: the user's suite's, else the checkout's; none outside of both.
    #[must_use]
    pub fn snapshots(&self) -> Option<PathBuf> {
        let suite = own::chosen().map(|own| own.directory.as_path());
        let root = suite.or(self.root.as_deref());
        root.map(|root| root.join("snapshots"))
    }

    /// The table of tools: `vm/tools.toml` of the checkout, or the built-in one.
    ///
    /// # Errors
    ///
    /// It is not there, or it is wrong.
    pub fn tools(&self) -> Result<Tools> {
        Tools::parse(&text(self.root.as_deref(), TOOLS)?, TOOLS.0)
    }

    /// The directory with the accepted reports of a tool of `vm/tools.toml`; none outside of a checkout.
    #[must_use]
    pub fn reports(&self, tool: &str) -> Option<PathBuf> {
        self.root.as_ref().map(|root| root.join("tools").join(tool))
    }

    /// The command that fetches something: that of the checkout, which installs what is missing as well, or ours.
    #[must_use]
    pub fn fetches(&self, what: impl Display) -> String {
        match self.root {
            Some(_) => format!("vm/setup {what}"),
            None => format!("exetrail fetch {what}"),
        }
    }

    /// A kernel of the table, when it is fetched.
    ///
    /// # Errors
    ///
    /// What is in the cache is not what was fetched; with the command that fetches it again.
    pub fn kernel(&self, id: &KernelId) -> Result<Option<CachedKernel>> {
        self.kernel_with(id, Trust::Stamps).with_context(|| {
            format!(
                "kernel {id} is not used, {} fetches it again",
                self.fetches(id)
            )
        })
    }

    /// A kernel of the table, verified as far as `trust` says.
    ///
    /// # Errors
    ///
    /// What is in the cache is not what was fetched.
    pub fn kernel_with(&self, id: &KernelId, trust: Trust) -> Result<Option<CachedKernel>> {
        let modules = &self.table.modules;
        fetch::load_kernel(&self.cache, id, &self.kernels, modules, trust)
    }

    /// The fixture.
    ///
    /// # Errors
    ///
    /// It is not fetched, is not the one that the lock asks for, or not what was fetched.
    pub fn fixture(&self) -> Result<Fixture> {
        self.fixture_with(Trust::Stamps)
            .with_context(|| format!("the fixture is not used, {} fetches it again", self.fetches("fixture")))?
            .with_context(|| {
                format!(
                    "the fixture is not fetched, or is not the one that vm/fixture.lock asks for: {} fetches it",
                    self.fetches("fixture")
                )
            })
    }

    /// The fixture when it is fetched, verified as far as `trust` says.
    ///
    /// # Errors
    ///
    /// What is in the cache is not what was fetched.
    pub fn fixture_with(&self, trust: Trust) -> Result<Option<Fixture>> {
        fetch::load_fixture(&self.cache, &self.fixture, &self.fixture_lock, trust)
    }
}

/// Whether snapshots speak of a kernel of the table: of each, where a user's suite names none, or one by a path, whose
/// series is known when it is read.
pub fn speaks_of(id: &KernelId) -> bool {
    own::chosen().is_none_or(|own| is_meant(&own.settings.kernels, id))
}

/// What is to be said beside snapshots of a user's suite that names no kernels: nobody knows on which of them it was run.
#[must_use]
pub fn unnamed() -> Option<String> {
    let own = own::chosen().filter(|own| own.settings.kernels.is_empty())?;
    Some(format!(
        "{} names no kernels, so a snapshot is taken to hold on each newer one up to the next snapshot, also where \
         the suite was never run",
        own.directory.join(own::FILE).display()
    ))
}

fn is_meant(named: &[String], id: &KernelId) -> bool {
    let means = |word: &String| match word.parse::<KernelId>() {
        Ok(named) => named == *id,
        Err(_) => true,
    };
    named.is_empty() || named.iter().any(means)
}

/// Whether `EXETRAIL_REQUIRE` has what was not run fail.
///
/// # Errors
///
/// It says something else than `all`: a gate that is misspelt would let everything through.
pub fn required() -> Result<bool> {
    match std::env::var_os("EXETRAIL_REQUIRE") {
        None => Ok(false),
        Some(value) if value.is_empty() => Ok(false),
        Some(value) if value == "all" => Ok(true),
        Some(value) => bail!("EXETRAIL_REQUIRE={value:?} is unknown: it is all, or not set"),
    }
}

/// `EXETRAIL_CACHE`, else `exetrail` in the user's cache directory.
///
/// # Errors
///
/// None of the variables that would name it is set, or it is no directory.
pub fn cache_directory() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let directory = set("EXETRAIL_CACHE")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CACHE_HOME").map(|base| PathBuf::from(base).join("exetrail")))
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache/exetrail")));
    let directory = directory.context("no place for a cache: set EXETRAIL_CACHE to a directory")?;
    if directory.exists() && !directory.is_dir() {
        bail!(
            "the cache {} is no directory: set EXETRAIL_CACHE to one",
            directory.display()
        );
    }
    std::path::absolute(&directory)
        .with_context(|| format!("{} is not a path", directory.display()))
}

/// The nearest directory upwards that is a checkout of this project.
fn checkout_around(start: &Path) -> Option<PathBuf> {
    let is_checkout = |directory: &&Path| {
        directory.join("vm/kernels.toml").is_file()
            && bound::text(&directory.join("Cargo.toml"), bound::TEXT)
                .is_ok_and(|text| text.contains("name = \"exetrail\""))
    };
    start.ancestors().find(is_checkout).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_speak_of_the_kernels_that_are_named() {
        let of = |kernels: &[&str]| {
            let kernels: Vec<_> = kernels.iter().map(|&word| word.to_owned()).collect();
            ["5.10", "6.12"].map(|id| is_meant(&kernels, &id.parse().unwrap()))
        };
        assert_eq!(of(&["6.12"]), [false, true]);
        assert_eq!(of(&[]), [true, true]);
        assert_eq!(of(&["all"]), [true, true]);
        assert_eq!(of(&["5.10", "./bzImage"]), [true, true]);
    }
}
