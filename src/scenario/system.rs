//! Where a scenario acts: it makes files, changes the system and starts programs through this.
//!
//! It lives in the launcher, a process of its own. What outlives the scenario (a system setting, a
//! file outside of `/tmp`) is changed by the runner or said to it beforehand; the runner puts it
//! back whatever happens to the launcher. Mounts are found and undone by the runner.

mod request;
mod start;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::mount::{MsFlags, mount};

pub use request::{LaunchEnding, Reply, Request};

use super::{FileView, Inspected};
use crate::model::BinfmtEntry;
use crate::wire::{Link, SUBJECT};

/// The runner answers or kills; this only keeps a launcher from outliving a runner that does not.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a scenario works with.
#[derive(Debug)]
pub struct System {
    link: Link,
    also: Vec<PathBuf>,
    contents: Inspected,
    /// Announced files outside of `/tmp`.
    made: Vec<PathBuf>,
    formats: Vec<BinfmtEntry>,
    /// Where programs write; `/dev/null` for none.
    output: Option<OwnedFd>,
}

impl System {
    /// The launcher makes one, knowing what is in the fixture's files and where programs write; scenarios are given it.
    #[must_use]
    pub fn new(link: Link, contents: Inspected, output: Option<OwnedFd>) -> System {
        System {
            link,
            output,
            also: Vec::new(),
            contents,
            made: Vec::new(),
            formats: Vec::new(),
        }
    }

    /// Makes an executable file with this text in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn script(&mut self, name: &str, text: &str) -> Result<PathBuf> {
        self.file(name, text.as_bytes(), 0o755)
    }

    /// Makes a file in `/tmp`, and the directories above it, and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn file(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        let context = || format!("failed to write {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(context)?;
        }
        fs::write(&path, bytes)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .with_context(context)?;
        Ok(path)
    }

    /// Copies a file of the fixture to `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn copy(&mut self, from: &str, name: &str) -> Result<PathBuf> {
        let path = self.file(name, &[], 0o755)?;
        fs::copy(from, &path)
            .and_then(|_| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("failed to copy {from} to {}", path.display()))?;
        Ok(path)
    }

    /// Copies the subject, a static program of ours, to `/tmp`; [`Exec::role`] says what it does
    /// there.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn ours(&mut self, name: &str) -> Result<PathBuf> {
        self.copy(SUBJECT, name)
    }

    /// As [`System::ours`], with this mode, which may have the set-user-ID bit.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn ours_with_mode(&mut self, name: &str, mode: u32) -> Result<PathBuf> {
        let path = self.ours(name)?;
        self.set_mode(name, mode)?;
        Ok(path)
    }

    /// Changes the mode of a file in `/tmp`, as a change of owner needs it, which clears bits.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub fn set_mode(&mut self, name: &str, mode: u32) -> Result<()> {
        let path = Path::new("/tmp").join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("failed to change the mode of {}", path.display()))
    }

    /// Makes a symbolic link in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The link cannot be made.
    pub fn link(&mut self, target: impl AsRef<Path>, name: &str) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        symlink(target, &path).with_context(|| format!("failed to link {}", path.display()))?;
        Ok(path)
    }

    /// Makes a directory in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The directory cannot be made.
    pub fn directory(&mut self, name: &str) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        fs::create_dir_all(&path).with_context(|| format!("failed to make {}", path.display()))?;
        Ok(path)
    }

    /// Mounts an overlay at `/tmp/merged`, with `/usr/bin/true` as `bin/true` of its lower layer;
    /// both layers are on the fixture.
    ///
    /// # Errors
    ///
    /// What mkdir(2), open(2) or mount(2) says.
    pub fn overlay(&mut self) -> Result<()> {
        for directory in ["lower/bin", "upper", "work", "merged"] {
            self.directory(directory)?;
        }
        self.copy("/usr/bin/true", "lower/bin/true")?;
        let layers = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work";
        self.mount("overlay", "overlay", Path::new("/tmp/merged"), layers)
    }

    /// Mounts something; the runner unmounts it.
    ///
    /// # Errors
    ///
    /// What mount(2) says.
    pub fn mount(&mut self, kind: &str, source: &str, place: &Path, options: &str) -> Result<()> {
        let flags = MsFlags::empty();
        mount(Some(source), place, Some(kind), flags, Some(options))
            .with_context(|| format!("failed to mount {kind} on {}", place.display()))
    }

    /// Mounts a file or directory at a second place; the runner unmounts it.
    ///
    /// # Errors
    ///
    /// What mount(2) says.
    pub fn bind(&mut self, source: impl AsRef<Path>, place: &Path) -> Result<()> {
        let none = None::<&str>;
        mount(Some(source.as_ref()), place, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("failed to bind {}", place.display()))
    }

    /// Watches the file system of a path as well, beside the fixture's own.
    pub fn watch_also(&mut self, path: impl AsRef<Path>) {
        self.also.push(path.as_ref().to_owned());
    }

    /// Announces a file or directory outside of `/tmp`, for the runner to remove it afterwards.
    ///
    /// # Errors
    ///
    /// It is there already.
    pub fn will_make(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.made.push(path.as_ref().to_owned());
        self.ask(&Request::Remove(path.as_ref().to_owned()))
    }

    /// Registers a format with binfmt_misc; the runner takes it out.
    ///
    /// # Errors
    ///
    /// The kernel refuses the rule.
    pub fn format(&mut self, name: &str, rule: &str) -> Result<()> {
        self.contents.read_all(Path::new("/tmp"));
        let view = FileView::of(std::process::id(), &self.contents, &self.watched());
        let format = BinfmtEntry::parse(rule, &view);
        let format = format.with_context(|| format!("the model cannot read the rule {rule:?}"))?;
        self.formats.insert(0, format);
        self.ask(&Request::Format {
            name: name.to_owned(),
            rule: format!(":{name}:{rule}"),
        })
    }

    /// Writes a setting below `/proc/sys`; the runner puts the old one back.
    ///
    /// # Errors
    ///
    /// There is no such setting, or the kernel refuses the value.
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<()> {
        self.ask(&Request::Sysctl {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// What is watched: the fixture, and what the scenario adds.
    fn watched(&self) -> Vec<PathBuf> {
        let fixture = PathBuf::from("/");
        [fixture]
            .into_iter()
            .chain(self.also.iter().cloned())
            .collect()
    }

    pub(crate) fn done(&mut self, result: Result<()>) -> Result<()> {
        self.ask(&Request::Done(result.map_err(|error| format!("{error:#}"))))
    }

    fn ask(&mut self, request: &Request) -> Result<()> {
        self.call(request).map(drop)
    }

    fn call(&mut self, request: &Request) -> Result<Reply> {
        self.link
            .send(request)
            .context("failed to reach the runner")?;
        match self
            .link
            .receive(Instant::now() + PATIENCE)
            .context("the runner does not answer")?
        {
            Reply::Failed(reason) => bail!("{reason}"),
            reply => Ok(reply),
        }
    }
}
