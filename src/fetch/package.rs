//! One Debian package of a kernel: image, configuration, modules.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::deb::{self, Member, MemberKind, read_deb};
use crate::bound;

/// What a package holds of a kernel.
#[derive(Debug, Default)]
pub struct KernelPackage {
    /// The bzImage.
    pub image: Option<Vec<u8>>,
    /// The configuration.
    pub config: Option<String>,
    /// The modules that were asked for, decompressed.
    pub modules: BTreeMap<String, Vec<u8>>,
}

/// Reads a package file such as `linux-image-6.12.107-amd64.deb`.
///
/// # Errors
///
/// The file is not a Debian package or is cut.
pub fn read_kernel_package(file: &Path, modules: &[String]) -> Result<KernelPackage> {
    let members = read_deb(file, |path| wants(path, modules))?;
    KernelPackage::of(members).with_context(|| format!("failed to read {}", file.display()))
}

impl KernelPackage {
    /// Reads a package that is open.
    ///
    /// # Errors
    ///
    /// As [`read_kernel_package`].
    pub fn read(package: impl Read, modules: &[String]) -> Result<KernelPackage> {
        KernelPackage::of(deb::read(package, |path| wants(path, modules))?)
    }

    fn of(members: Vec<Member>) -> Result<KernelPackage> {
        let mut package = KernelPackage::default();
        for member in members {
            let MemberKind::File(bytes) = member.kind else {
                continue;
            };
            let name = member.path.rsplit('/').next().unwrap_or_default();
            if name.starts_with("vmlinuz") {
                package.image = Some(bytes);
            } else if name.starts_with("config") {
                package.config = Some(String::from_utf8_lossy(&bytes).into_owned());
            } else {
                let stem = name.split('.').next().unwrap_or_default().to_owned();
                let bytes = read_module(bytes)
                    .with_context(|| format!("failed to read {}", member.path))?;
                package.modules.insert(stem, bytes);
            }
        }
        Ok(package)
    }
}

fn wants(path: &str, modules: &[String]) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("boot/") {
        return name.starts_with("vmlinuz-") || name.starts_with("config-");
    }
    let below = path.starts_with("usr/lib/modules/") || path.starts_with("lib/modules/");
    let stem = name.split_once(".ko").map(|(stem, _)| stem);
    below
        && (name == "vmlinuz"
            || name == "config"
            || stem.is_some_and(|stem| modules.iter().any(|module| *module == stem)))
}

/// A kernel module, decompressed if it is compressed (xz, gzip or zstd).
///
/// # Errors
///
/// It cannot be decompressed, or is larger than any module.
pub fn read_module(bytes: Vec<u8>) -> Result<Vec<u8>> {
    read_module_within(bytes, bound::FILE)
}

fn read_module_within(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>> {
    let unpacked = bound::plain(bytes.as_slice()).and_then(|module| bound::read(module, limit));
    unpacked.context("failed to decompress a module")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many zeros, compressed.
    fn bomb(bytes: u64) -> Vec<u8> {
        let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::copy(&mut std::io::repeat(0).take(bytes), &mut member).unwrap();
        member.finish().unwrap()
    }

    #[test]
    fn a_module_without_end_is_an_error_that_names_the_limit() {
        let error = read_module_within(bomb((1 << 20) + 1), 1 << 20).unwrap_err();
        assert!(format!("{error:#}").contains("limit of 1 MiB"), "{error:#}");
    }

    #[test]
    fn a_compressed_module_is_read() {
        assert_eq!(read_module(bomb(3)).unwrap(), [0; 3]);
    }
}
