//! One kernel in the cache: uncompressed vmlinux, configuration, modules, and what they came from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::trail::KernelId;
use crate::vm::payload;
use crate::vm::table::{KernelEntry, Table};

use super::apt::Apt;
use super::contents::{Contents, Trust};
use super::elf::module_depends;
use super::package::read_kernel_package;
use super::resolve::{Got, Releases, Wanted};
use super::work::{Work, put_in_place};
use super::{Lock, Pinned};

/// A kernel that is ready to boot.
#[derive(Clone, Debug)]
pub struct CachedKernel {
    /// Its directory in the cache.
    pub directory: PathBuf,
    /// Kernel modules by name, decompressed.
    pub modules: BTreeMap<String, PathBuf>,
    /// Release, as uname(2) will say it.
    pub release: String,
    /// Upstream release with its patch level, such as `5.10.251`, which a distribution's release
    /// may hide behind a number of its own (`5.10.0-43`).
    pub upstream: String,
    /// The packages that it is from.
    pub packages: Vec<Pinned>,
    /// Said with every result when the pinned packages were not to be had.
    pub substituted: Option<String>,
}

/// What stands in `kernel.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    release: String,
    /// What the lock asked for when this was fetched.
    pinned: Vec<Pinned>,
    /// What was taken.
    taken: Vec<Pinned>,
    /// The modules that the table asked for.
    #[serde(default)]
    modules: Vec<String>,
    /// Its files; empty in the cache of a version that kept no checksums.
    #[serde(default)]
    contents: Contents,
}

impl CachedKernel {
    /// The uncompressed kernel.
    #[must_use]
    pub fn vmlinux(&self) -> PathBuf {
        self.directory.join("vmlinux")
    }

    /// The configuration that the kernel was built with.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.directory.join("config")
    }
}

fn directory(cache: &Path, id: &KernelId) -> PathBuf {
    cache.join("kernels").join(id.to_string())
}

/// The kernel in the cache, when it is there and still what lock and table ask for.
///
/// # Errors
///
/// The cache holds something that cannot be read, is not what was fetched, or is another user's.
pub fn load_kernel(
    cache: &Path,
    id: &KernelId,
    lock: &Lock,
    modules: &[String],
    trust: Trust,
) -> Result<Option<CachedKernel>> {
    let directory = directory(cache, id);
    let Some(found) =
        super::read_description::<Description>(cache, &directory.join("kernel.json"))?
    else {
        return Ok(None);
    };
    if found.pinned != lock.of(&id.to_string()) || found.modules != modules {
        return Ok(None);
    }
    found.contents.verify(&directory, trust)?;
    for name in ["vmlinux", "config"] {
        if !found.contents.names().any(|known| known == name) {
            bail!("{} has no checksum", directory.join(name).display());
        }
    }
    let substituted = (found.taken != found.pinned && !found.pinned.is_empty()).then(|| {
        format!(
            "kernel {id}: using {}, the pinned {} is no longer in the archive",
            version(&found.taken),
            version(&found.pinned)
        )
    });
    Ok(Some(CachedKernel {
        upstream: upstream(version(&found.taken), &found.release).to_owned(),
        modules: module_files(&found.contents, &directory),
        directory,
        release: found.release,
        packages: found.taken,
        substituted,
    }))
}

/// Only what has a checksum: a file that somebody puts beside them is no module of this kernel.
fn module_files(contents: &Contents, directory: &Path) -> BTreeMap<String, PathBuf> {
    let module = |name: &str| {
        let module = name.strip_prefix("modules/")?.strip_suffix(".ko")?;
        Some((module.to_owned(), directory.join(name)))
    };
    contents.names().filter_map(module).collect()
}

/// The upstream part of a package's version, which is `UPSTREAM-REVISION`.
fn upstream<'a>(version: &'a str, release: &'a str) -> &'a str {
    match KernelId::of_release(version) {
        Some(_) => version.split('-').next().unwrap_or(version),
        None => release,
    }
}

fn version(packages: &[Pinned]) -> &str {
    packages
        .first()
        .map_or("nothing", |package| package.version.as_str())
}

/// Downloads a kernel and unpacks what is needed of it; returns the packages that it came from.
///
/// # Errors
///
/// Nothing of the series can be had, a package does not hold what it should, or the disk is full.
/// Nothing of it is left in the cache then, but apt's lists.
pub fn fetch_kernel(
    cache: &Path,
    table: &Table,
    entry: &KernelEntry,
    pinned: &[Pinned],
    releases: Releases,
) -> Result<Vec<Pinned>> {
    let of = entry.id.to_string();
    let work = Work::begin(cache)?;
    let apt = Apt::prepare(cache, &entry.suites)?;
    let wanted = Wanted {
        of: &of,
        packages: &entry.packages,
        release: &entry.release,
        pinned,
    };
    let got = match releases {
        Releases::Pinned => wanted.get(&apt, work.path()),
        Releases::Newest => wanted.get_newest(&apt, work.path()),
    };
    let got = got.with_context(|| format!("failed to fetch kernel {of}"))?;
    let new = work.path().join("new");
    let release = unpack(&got, &table.modules, &new)
        .with_context(|| format!("failed to unpack kernel {of}"))?;
    let pinned = match releases {
        Releases::Pinned => pinned.to_vec(),
        Releases::Newest => got.packages.clone(),
    };
    let description = Description {
        release,
        pinned,
        taken: got.packages.clone(),
        modules: table.modules.clone(),
        contents: Contents::of(&new)?,
    };
    fs::write(
        new.join("kernel.json"),
        serde_json::to_vec_pretty(&description)?,
    )
    .context("failed to describe the kernel")?;
    put_in_place(&new, &directory(cache, &entry.id))?;
    Ok(got.packages)
}

fn unpack(got: &Got, modules: &[String], directory: &Path) -> Result<String> {
    fs::create_dir_all(directory.join("modules"))?;
    let mut release = None;
    let mut configured = false;
    for file in &got.files {
        let package = read_kernel_package(file, modules)?;
        if let Some(image) = package.image {
            release = Some(payload::release(&image)?);
            fs::write(directory.join("vmlinux"), payload::vmlinux(&image)?)?;
        }
        if let Some(config) = package.config {
            fs::write(directory.join("config"), config)?;
            configured = true;
        }
        for (name, bytes) in package.modules {
            let missing = module_depends(&bytes)?;
            if let Some(missing) = missing.iter().find(|name| !modules.contains(name)) {
                bail!(
                    "module {name} needs the module {missing}: add it to modules in \
                     vm/kernels.toml"
                );
            }
            fs::write(directory.join("modules").join(format!("{name}.ko")), bytes)?;
        }
    }
    if !configured {
        bail!("its packages hold no configuration");
    }
    release.context("its packages hold no kernel image")
}

#[cfg(test)]
mod tests {
    use super::upstream;

    #[test]
    fn the_patch_level_is_the_package_versions() {
        assert_eq!(upstream("5.10.251-5", "5.10.0-43-cloud-amd64"), "5.10.251");
        assert_eq!(upstream("6.19.14-1~bpo13+1", "6.19.14+deb13"), "6.19.14");
    }

    #[test]
    fn without_a_package_the_release_has_to_do() {
        assert_eq!(upstream("nothing", "6.12.1"), "6.12.1");
    }
}
