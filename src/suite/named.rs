//! A kernel that the user names by a path: an image, a build tree or a Debian package.
//!
//! Its series is read from the image and decides about the baseline; its configuration, where one
//! is found, lets the host judge needs. No table entry is wanted.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::ReadyKernel;
use super::modules;
use crate::fetch::read_kernel_package;
use crate::trail::KernelId;
use crate::vm::machine::Kernel;
use crate::vm::payload;
use crate::{arch, bound};

/// A kernel's parts, wherever they came from.
struct Parts {
    image: Vec<u8>,
    config: Option<String>,
    modules: BTreeMap<String, Arc<[u8]>>,
}

impl ReadyKernel {
    /// Reads the kernel at a path; `names` are the modules that the image wants, `directory` is
    /// where the user says that they are.
    ///
    /// # Errors
    ///
    /// It is not a kernel for x86-64, or not a whole one; with the file's name.
    pub fn at_path(path: &Path, names: &[String], directory: Option<&Path>) -> Result<ReadyKernel> {
        let mut parts = parts(path, names)?;
        if let Some(directory) = directory {
            parts.modules = modules::below(directory, names)?;
        }
        let context = || format!("{} cannot be booted", path.display());
        let (release, vmlinux) = unpack(&parts.image).with_context(context)?;
        payload::check_machine(&vmlinux).with_context(context)?;
        let id = KernelId::of_release(&release)
            .with_context(|| format!("\"{release}\" is not a release of a kernel"))
            .with_context(context)?;
        // What the kernel carries in itself cannot be another kernel's.
        let config = payload::config(&vmlinux).with_context(context)?;
        let (config, note) = match config.or(parts.config) {
            Some(config) => (Some(config), None),
            None => config_at(&config_places(path, &release), &release),
        };
        if directory.is_none() && config.as_deref().is_some_and(takes_no_modules) {
            // What lies in its tree is left over of another configuration.
            parts.modules.clear();
        }
        modules::check(&parts.modules, &release, &vmlinux).with_context(context)?;
        Ok(ReadyKernel {
            id,
            upstream: release.clone(),
            release,
            kernel: Some(keep(&vmlinux)?),
            modules: parts.modules,
            config,
            packages: Vec::new(),
            note,
        })
    }
}

fn parts(path: &Path, names: &[String]) -> Result<Parts> {
    if path.is_dir() {
        return tree(path, names);
    }
    let image = bound::file(path, bound::IMAGE)?;
    if !image.starts_with(b"!<arch>\n") {
        return Ok(Parts {
            image,
            config: None,
            modules: BTreeMap::new(),
        });
    }
    let package = read_kernel_package(path, names)?;
    let image = package.image.with_context(|| {
        format!(
            "{} holds no kernel: give the package that has boot/vmlinuz-*, such as linux-image-*",
            path.display()
        )
    })?;
    let all = package.modules.into_iter();
    Ok(Parts {
        image,
        config: package.config,
        modules: all.map(|(name, bytes)| (name, bytes.into())).collect(),
    })
}

fn tree(directory: &Path, names: &[String]) -> Result<Parts> {
    let found = arch::IMAGES.iter().map(|name| directory.join(name));
    let Some(image) = found.into_iter().find(|image| image.is_file()) else {
        bail!(
            "{} is not a kernel build tree, or one that is not built: it has none of {}; build one \
             with make bzImage",
            directory.display(),
            arch::IMAGES.join(", ")
        );
    };
    let bytes = bound::file(&image, bound::IMAGE)?;
    Ok(Parts {
        image: bytes,
        config: None,
        modules: modules::of_tree(directory, names)?,
    })
}

fn unpack(image: &[u8]) -> Result<(String, Vec<u8>)> {
    if image.starts_with(b"\x7fELF") {
        // First: where it is cut, its banner may be missing as well.
        payload::check_machine(image)?;
        return Ok((payload::banner_release(image)?, image.to_vec()));
    }
    Ok((payload::release(image)?, payload::vmlinux(image)?))
}

/// Where build trees and distributions keep the configuration of what is at a path.
fn config_places(path: &Path, release: &str) -> Vec<PathBuf> {
    let tree = path.is_dir().then_some(path);
    let directory = path.parent();
    let of_image = path.ends_with(arch::IMAGES[0]).then(|| path.ancestors());
    let of_image = of_image.and_then(|mut above| above.nth(4));
    let places = [
        tree.map(|tree| tree.join(".config")),
        directory.map(|directory| directory.join(format!("config-{release}"))),
        of_image.map(|tree| tree.join(".config")),
        directory.map(|directory| directory.join(".config")),
    ];
    places.into_iter().flatten().collect()
}

/// The configuration that is found first, or else what is to be said of one that is there and cannot be read.
pub(super) fn config_at(places: &[PathBuf], release: &str) -> (Option<String>, Option<String>) {
    let mut note = None;
    for place in places {
        // Where it is not, nor can be, there is none.
        if matches!(place.try_exists(), Ok(false)) {
            continue;
        }
        match bound::text(place, bound::CONFIG) {
            Ok(text) => return (Some(text), None),
            Err(error) => {
                note.get_or_insert_with(|| {
                    format!("the configuration of {release} is not known: {error:#}")
                });
            }
        }
    }
    (None, note)
}

fn takes_no_modules(config: &str) -> bool {
    !config.lines().any(|line| line == "CONFIG_MODULES=y")
}

fn keep(vmlinux: &[u8]) -> Result<Kernel> {
    let memory = memfd_create(c"exetrail-vmlinux", MFdFlags::MFD_CLOEXEC)
        .context("failed to make a file in memory")?;
    let mut file = fs::File::from(memory);
    file.write_all(vmlinux)
        .context("failed to keep the kernel")?;
    Ok(Kernel::Memory(Arc::new(file.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(content: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bzImage");
        fs::write(&file, content).unwrap();
        let error = ReadyKernel::at_path(&file, &[], None).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("bzImage cannot be booted"), "{text}");
        text
    }

    #[test]
    fn what_is_no_image_is_named() {
        assert!(error(b"hello").contains("this is neither a bzImage"));
    }

    #[test]
    fn an_image_for_arm64_is_named_as_such() {
        let mut image = vec![0; 0x1000];
        image[0x38..0x3c].copy_from_slice(b"ARM\x64");
        assert!(error(&image).contains("for arm64"));
    }

    #[test]
    fn an_elf_file_for_another_machine_is_named_as_such() {
        // An ELF header alone; e_machine is at 0x12.
        let mut elf = fs::read("/proc/self/exe").unwrap();
        elf.truncate(64);
        elf[0x12] = 183;
        elf.extend_from_slice(b"Linux version 6.12.1 (x)");
        assert!(error(&elf).contains("AARCH64"), "{}", error(&elf));
    }

    #[test]
    fn a_vmlinux_that_is_cut_is_truncated() {
        let mut elf = fs::read("/proc/self/exe").unwrap();
        elf.truncate(4096);
        elf.extend_from_slice(b"Linux version 6.12.1 (x)");
        assert!(error(&elf).contains("truncated"));
    }

    #[test]
    fn a_directory_without_an_image_says_what_to_build() {
        let dir = tempfile::tempdir().unwrap();
        let error = ReadyKernel::at_path(dir.path(), &[], None).unwrap_err();
        assert!(error.to_string().contains("make bzImage"), "{error}");
    }

    /// A build tree with a kernel, this configuration and a module of an older build.
    fn stale(config: &str) -> Result<ReadyKernel> {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join(arch::IMAGES[0]);
        fs::create_dir_all(image.parent().unwrap()).unwrap();
        // An ELF header alone, which names no other one.
        let mut vmlinux = fs::read("/proc/self/exe").unwrap();
        vmlinux.truncate(64);
        vmlinux[0x20..0x30].fill(0);
        vmlinux[0x36..0x40].fill(0);
        vmlinux.extend_from_slice(b"Linux version 6.12.2 (x)\0");
        fs::write(&image, vmlinux).unwrap();
        fs::write(dir.path().join(".config"), config).unwrap();
        fs::write(dir.path().join("modules.order"), "loop.o\n").unwrap();
        fs::write(dir.path().join("loop.ko"), "vermagic=6.12.1 SMP \0").unwrap();
        ReadyKernel::at_path(dir.path(), &["loop".into()], None)
    }

    #[test]
    fn a_tree_whose_modules_are_stale_is_refused_and_one_without_modules_is_not() {
        let error = format!("{:#}", stale("CONFIG_MODULES=y\n").unwrap_err());
        assert!(
            error.contains("loop.ko was built with another kernel"),
            "{error}"
        );
        assert!(
            stale("# CONFIG_MODULES is not set\n")
                .unwrap()
                .modules
                .is_empty()
        );
    }

    #[test]
    fn the_configuration_of_a_tree_is_found_from_its_image() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".config"), "CONFIG_A=y\n").unwrap();
        for path in [dir.path().join(arch::IMAGES[0]), dir.path().to_owned()] {
            let found = config_at(&config_places(&path, "6.1.1"), "6.1.1");
            assert_eq!(found, (Some("CONFIG_A=y\n".to_owned()), None));
        }
    }

    #[test]
    fn a_configuration_that_is_there_and_cannot_be_read_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (bad, good) = (dir.path().join("bad"), dir.path().join("good"));
        fs::write(&bad, b"\xff").unwrap();
        let found = |places: &[&PathBuf]| {
            config_at(
                &places.iter().copied().cloned().collect::<Vec<_>>(),
                "6.1.1",
            )
        };
        assert_eq!(found(&[&good]), (None, None));
        let (text, note) = found(&[&bad, &good]);
        assert_eq!(text, None);
        assert!(note.unwrap().contains("bad is not UTF-8"));
        fs::write(&good, "CONFIG_A=y\n").unwrap();
        assert_eq!(found(&[&bad, &good]).1, None);
    }
}
