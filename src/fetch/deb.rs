//! Reads Debian packages: an ar archive that holds a compressed tar archive.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::below::Below;
use crate::bound::{self, Bounded};

/// One file, directory or link of a package.
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

/// Reads the files and links whose path `wants` says yes to; directories are not reported.
///
/// # Errors
///
/// The file is not a Debian package, is cut, uses a compression that Debian does not, names a file
/// outside of the root, or unpacks to more than the limit.
pub fn read_deb(file: &Path, wants: impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let context = || format!("failed to read the package {}", file.display());
    let package = bound::open(file, bound::PACKAGE).with_context(context)?;
    read(package, wants).with_context(context)
}

/// The same for a package that is open.
pub fn read(package: impl Read, wants: impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let mut archive = ar::Archive::new(package);
    while let Some(entry) = archive.next_entry() {
        let entry = entry?;
        let part = String::from_utf8_lossy(entry.header().identifier()).into_owned();
        let Some(compression) = part.trim_end_matches('/').strip_prefix("data.tar") else {
            continue;
        };
        let data: Box<dyn Read> = match compression {
            "" => Box::new(entry),
            ".xz" => Box::new(bound::xz(entry)?),
            ".gz" => Box::new(flate2::read::GzDecoder::new(entry)),
            ".zst" => Box::new(
                ruzstd::decoding::StreamingDecoder::new(entry)
                    .map_err(|error| anyhow::anyhow!("{error}"))?,
            ),
            other => bail!("the compression of data.tar{other} is unknown"),
        };
        return read_tar(data, wants);
    }
    bail!("it is not a Debian package: it has no data.tar")
}

fn read_tar(data: impl Read, wants: impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    let mut left = bound::PACKAGE;
    let data = Bounded::new(data, bound::PACKAGE);
    for entry in tar::Archive::new(data).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .context("it holds a name that is not UTF-8")?;
        // The root itself is "./", and directories end in a slash.
        let name = name.strip_prefix("./").unwrap_or(&name);
        let name = name.strip_suffix('/').unwrap_or(name);
        if name.is_empty() {
            continue;
        }
        let path = Below::parse(name)?.as_str().to_owned();
        if !wants(&path) {
            continue;
        }
        let mode = entry.header().mode()? & 0o7777;
        let kind = match entry.header().entry_type() {
            tar::EntryType::Regular => {
                let refused = || format!("{path} is refused");
                let limit = left.min(bound::FILE);
                bound::check(entry.size(), limit).with_context(refused)?;
                let bytes = bound::read(&mut entry, limit).with_context(refused)?;
                left -= bytes.len() as u64;
                MemberKind::File(bytes)
            }
            tar::EntryType::Symlink => {
                let target = entry
                    .link_name()?
                    .context("a symbolic link without a target")?;
                MemberKind::Link(target.to_string_lossy().into_owned())
            }
            // A hard link names a file that came before.
            tar::EntryType::Link => {
                let target = entry.link_name()?.context("a hard link without a target")?;
                let target = target.to_string_lossy().into_owned();
                let target = target.strip_prefix("./").unwrap_or(&target);
                let known = members
                    .iter()
                    .find(|member: &&Member| member.path == target);
                match known.map(|member| &member.kind) {
                    Some(MemberKind::File(bytes)) => MemberKind::File(bytes.clone()),
                    _ => continue,
                }
            }
            _ => continue,
        };
        members.push(Member { path, mode, kind });
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tar archive of one member with this name and this size, followed by three bytes.
    fn tar(name: &str, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(size);
        header.set_mode(0o755);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(b"abc");
        bytes.resize(2048, 0);
        bytes
    }

    fn error(archive: impl Read, wants: impl Fn(&str) -> bool) -> String {
        format!("{:#}", read_tar(archive, wants).unwrap_err())
    }

    #[test]
    fn a_member_is_named_without_its_root() {
        let members = read_tar(tar("./usr/bin/x", 3).as_slice(), |_| true).unwrap();
        assert_eq!(members[0].path, "usr/bin/x");
        assert_eq!(members[0].kind, MemberKind::File(b"abc".to_vec()));
    }

    #[test]
    fn a_name_that_leads_out_is_an_error_also_of_what_nobody_wants() {
        for name in ["/etc/x", "../x", "./usr/../../x"] {
            let text = error(tar(name, 3).as_slice(), |_| false);
            assert!(text.contains("the name"), "{text}");
        }
    }

    #[test]
    fn a_file_that_says_it_is_huge_is_an_error_that_names_the_limit() {
        let text = error(tar("./boot/vmlinuz-1", 3 << 30).as_slice(), |_| true);
        assert_eq!(
            text,
            "boot/vmlinuz-1 is refused: its content is larger than the limit of 512 MiB"
        );
    }

    #[test]
    fn what_nobody_wants_has_a_limit_as_well() {
        let huge = tar("./x", 1 << 40);
        let text = error(huge.as_slice().chain(std::io::repeat(0)), |_| false);
        assert!(text.contains("larger than the limit of 2048 MiB"), "{text}");
    }
}
