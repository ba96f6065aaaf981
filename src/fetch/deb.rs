//! Reads Debian packages: an ar archive that holds a compressed tar archive.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use anyhow::{Context as _, Result, bail};

/// One file, folder or link of a package.
#[derive(Debug)]
pub struct Member {
    /// Path without a leading `/` or `./`.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: MemberKind,
}

/// What a member of a package is.
#[derive(Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file with its bytes.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Link(String),
}

/// Reads the files and links whose path `wants` says yes to; folders are not reported.
///
/// # Errors
///
/// The file is no Debian package, is cut, or uses a compression that Debian does not.
pub fn read_deb(file: &Path, wants: impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let name = || format!("failed to read the package {}", file.display());
    let mut archive = ar::Archive::new(File::open(file).with_context(name)?);
    while let Some(entry) = archive.next_entry() {
        let entry = entry.with_context(name)?;
        let part = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        let Some(compression) = part.trim_end_matches('/').strip_prefix("data.tar") else {
            continue;
        };
        let data: Box<dyn Read> = match compression {
            "" => Box::new(entry),
            ".xz" => Box::new(liblzma::read::XzDecoder::new(entry)),
            ".gz" => Box::new(flate2::read::GzDecoder::new(entry)),
            ".zst" => Box::new(
                ruzstd::decoding::StreamingDecoder::new(entry)
                    .map_err(|error| anyhow::anyhow!("{error}"))
                    .with_context(name)?,
            ),
            other => bail!("{}: unknown compression data.tar{other}", file.display()),
        };
        return read_tar(data, wants).with_context(name);
    }
    bail!(
        "{} is no Debian package: it has no data.tar",
        file.display()
    )
}

fn read_tar(data: impl Read, wants: impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in tar::Archive::new(data).entries()? {
        let mut entry = entry?;
        let path = plain(&entry.path()?);
        if !wants(&path) {
            continue;
        }
        let mode = entry.header().mode()? & 0o7777;
        let kind = match entry.header().entry_type() {
            tar::EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                MemberKind::File(bytes)
            }
            tar::EntryType::Symlink => {
                let target = entry
                    .link_name()?
                    .context("a symbolic link without a target")?;
                MemberKind::Link(target.to_string_lossy().into_owned())
            }
            _ => continue,
        };
        members.push(Member { path, mode, kind });
    }
    Ok(members)
}

fn plain(path: &Path) -> String {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}
