//! What `-k` means: a kernel of the table, an image that the user names, or the running kernel.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::named::config_at;
use crate::fetch::{CachedKernel, Pinned, sha256};
use crate::native;
use crate::project::Project;
use crate::trail::{KernelId, KernelInfo, LabKind};
use crate::vm::machine::Kernel;

/// The word for the running kernel.
pub const NATIVE: &str = "native";

/// A kernel that is ready.
#[derive(Clone, Debug)]
pub struct ReadyKernel {
    /// Series, which decides about the baseline.
    pub id: KernelId,
    /// Release, as far as it is known before the boot.
    pub release: String,
    /// Upstream release with its patch level, as far as it is known.
    pub upstream: String,
    /// What is booted; none for the running kernel, which takes the native lab.
    pub kernel: Option<Kernel>,
    /// Modules for the image, decompressed.
    pub modules: BTreeMap<String, Arc<[u8]>>,
    /// Its configuration, where it is known.
    pub config: Option<String>,
    /// The packages that it is from; none for a kernel that is not of the table.
    pub packages: Vec<Pinned>,
    /// Said with every result.
    pub note: Option<String>,
}

/// What a word after `-k` stands for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// It can be booted, or runs already.
    Ready(ReadyKernel),
    /// It is in the table and not fetched.
    NotFetched(KernelId),
}

impl Wanted {
    /// Finds a kernel by its id, as `native`, or by the path of an image, a build tree or a
    /// package.
    ///
    /// `modules` is where the modules of a kernel outside of the table are.
    ///
    /// # Errors
    ///
    /// There is no such kernel, the file is not a kernel image, or this process may not run the
    /// native lab.
    pub fn find(project: &Project, word: &str, modules: Option<&Path>) -> Result<Wanted> {
        if word == NATIVE {
            native::check()?;
            return ReadyKernel::running().map(Wanted::Ready);
        }
        if let Ok(id) = word.parse::<KernelId>()
            && project.table.find(&id).is_some()
        {
            return Wanted::of_table(project, &id);
        }
        if Path::new(word).exists() {
            return ReadyKernel::at_path(Path::new(word), &project.table.modules, modules)
                .map(Wanted::Ready);
        }
        if word.contains('/') && !word.contains(',') {
            bail!(
                "there is no file {word}: it would be a bzImage, a vmlinux, a kernel build tree or a Debian package"
            );
        }
        if word.contains(',') {
            bail!("one kernel alone is taken here, and {word:?} names several");
        }
        bail!(
            "there is no kernel \"{word}\": the table has {}; or give the path of a bzImage, a \
             vmlinux, a kernel build tree or a Debian package, or native for the running kernel",
            project.table.ids()
        )
    }

    /// Refuses modules that none of these kernels takes.
    ///
    /// # Errors
    ///
    /// All of them are of the table, or run already.
    pub fn check_modules<'a>(
        project: &Project,
        words: impl IntoIterator<Item = &'a str>,
        modules: Option<&Path>,
    ) -> Result<()> {
        let of_table = |word: &str| {
            let id = word.parse::<KernelId>().ok();
            id.is_some_and(|id| project.table.find(&id).is_some())
        };
        let has_its_own = |word: &str| [NATIVE, "all"].contains(&word) || of_table(word);
        if modules.is_some() && words.into_iter().all(has_its_own) {
            bail!(
                "--modules is for a kernel that you name by its path: those of the table, and the running one, \
                 have modules of their own"
            );
        }
        Ok(())
    }

    /// A kernel of the table.
    ///
    /// # Errors
    ///
    /// The cache cannot be read.
    pub fn of_table(project: &Project, id: &KernelId) -> Result<Wanted> {
        let Some(cached) = project.kernel(id)? else {
            return Ok(Wanted::NotFetched(id.clone()));
        };
        let config = cached.config();
        let config = std::fs::read_to_string(&config)
            .with_context(|| format!("failed to read {}", config.display()))?;
        Ok(Wanted::Ready(ReadyKernel {
            id: id.clone(),
            release: cached.release.clone(),
            upstream: cached.upstream.clone(),
            kernel: Some(Kernel::File(cached.vmlinux())),
            modules: modules(&cached)?,
            config: Some(config),
            packages: cached.packages,
            note: cached.substituted,
        }))
    }

    /// Its series.
    #[must_use]
    pub fn id(&self) -> &KernelId {
        match self {
            Wanted::Ready(target) => &target.id,
            Wanted::NotFetched(id) => id,
        }
    }
}

fn modules(cached: &CachedKernel) -> Result<BTreeMap<String, Arc<[u8]>>> {
    let read = |(name, path): (String, std::path::PathBuf)| {
        let bytes =
            std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        Ok((name, bytes.into()))
    };
    cached.modules.clone().into_iter().map(read).collect()
}

impl ReadyKernel {
    /// The running kernel; its series need not be in the table.
    ///
    /// # Errors
    ///
    /// Its release cannot be understood.
    pub fn running() -> Result<ReadyKernel> {
        let uname = nix::sys::utsname::uname().context("failed to ask for the release")?;
        let release = uname.release().to_string_lossy().into_owned();
        let id = KernelId::of_release(&release)
            .with_context(|| format!("\"{release}\" is not a release of a kernel"))?;
        let (config, note) = config_of_running(&release);
        Ok(ReadyKernel {
            id,
            config,
            upstream: release.clone(),
            release,
            kernel: None,
            modules: BTreeMap::new(),
            packages: Vec::new(),
            note,
        })
    }

    /// Whether it is of the table, so that it is known to boot.
    #[must_use]
    pub fn is_of_table(&self) -> bool {
        matches!(self.kernel, Some(Kernel::File(_)))
    }

    /// SHA-256 of a kernel that was taken out of an image that the user named; none for others, whose packages are known.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn image_sha256(&self) -> Result<Option<String>> {
        let Some(Kernel::Memory(memory)) = &self.kernel else {
            return Ok(None);
        };
        let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
        sha256(Path::new(&path)).map(Some)
    }

    /// Where its scenarios run.
    #[must_use]
    pub fn lab(&self) -> LabKind {
        match self.kernel {
            Some(_) => LabKind::Vm,
            None => LabKind::Native,
        }
    }

    /// What it is called: see [`KernelInfo::label`].
    #[must_use]
    pub fn label(&self) -> String {
        self.info().label().to_owned()
    }

    /// What records say of it.
    #[must_use]
    pub fn info(&self) -> KernelInfo {
        KernelInfo::of(&self.id.to_string(), &self.release, self.lab())
    }
}

/// Where distributions put it, or what the kernel itself says (`CONFIG_IKCONFIG_PROC`); or what is to be said of one that
/// cannot be read.
fn config_of_running(release: &str) -> (Option<String>, Option<String>) {
    let own = std::fs::File::open("/proc/config.gz")
        .ok()
        .and_then(|file| {
            let mut text = String::new();
            let mut file = flate2::read::GzDecoder::new(file);
            std::io::Read::read_to_string(&mut file, &mut text).ok()?;
            Some(text)
        });
    let places = [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
    ];
    match own {
        Some(own) => (Some(own), None),
        None => config_at(&places.map(PathBuf::from), release),
    }
}
