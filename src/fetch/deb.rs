//! Reads Debian packages: an ar archive that holds a compressed tar archive.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::below::Below;
use crate::bound::{self, Bounded};

/// One file or link of a package.
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
    let (compression, entry) = part(package, "data.tar")?;
    if !["", ".xz", ".gz", ".zst"].contains(&compression.as_str()) {
        bail!("the compression of data.tar{compression} is unknown");
    }
    read_tar(bound::plain(entry)?, bound::PACKAGE, wants)
}

/// Finds the part of an archive whose name begins so: the rest of its name, and its bytes.
///
/// As deb(5) has the format: no name is longer than a header has room for. (The crate `ar` reads long names, and panics where their table
/// is missing.)
fn part<R: Read>(mut archive: R, prefix: &str) -> Result<(String, std::io::Take<R>)> {
    const HEADER: usize = 60;
    const MISSING: &str = "it is not a Debian package";
    let mut piece = Vec::new();
    archive.by_ref().take(8).read_to_end(&mut piece)?;
    ensure!(piece == b"!<arch>\n", "{MISSING}: it is no archive of ar");
    loop {
        piece.clear();
        let read = archive
            .by_ref()
            .take(HEADER as u64)
            .read_to_end(&mut piece)?;
        ensure!(read != 0, "{MISSING}: it has no {prefix}");
        ensure!(
            read == HEADER && piece.ends_with(b"`\n"),
            "{MISSING}: a header is cut or none"
        );
        let field = |from: usize, to: usize| String::from_utf8_lossy(&piece[from..to]).into_owned();
        let (name, size) = (field(0, 16), field(48, 58));
        let size = size.trim_end().parse::<u64>();
        let size = size.with_context(|| format!("{MISSING}: a part has no size"))?;
        let name = name.trim_end().trim_end_matches('/');
        if let Some(rest) = name.strip_prefix(prefix) {
            return Ok((rest.to_owned(), archive.take(size)));
        }
        // Parts begin at even places.
        let size = size + size % 2;
        let passed = std::io::copy(&mut archive.by_ref().take(size), &mut std::io::sink())?;
        ensure!(passed == size, "{MISSING}: a part is cut");
    }
}

fn read_tar(data: impl Read, limit: u64, wants: impl Fn(&str) -> bool) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    let mut left = limit;
    let mut data = Bounded::new(data, limit);
    for entry in tar::Archive::new(&mut data).entries()? {
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
                    Some(MemberKind::File(bytes)) => {
                        let size = bytes.len() as u64;
                        bound::check(size, left).with_context(|| format!("{path} is refused"))?;
                        left -= size;
                        MemberKind::File(bytes.clone())
                    }
                    _ => continue,
                }
            }
            _ => continue,
        };
        members.push(Member { path, mode, kind });
    }
    // What is damaged behind the last file is damaged.
    std::io::copy(&mut data, &mut std::io::sink())?;
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

    /// An archive of the file `./a`, which holds `abc`, and of links to what is said.
    fn links(links: &[(tar::EntryType, &str)]) -> Vec<u8> {
        let mut archive = tar("./a", 3);
        archive.truncate(1024);
        for (kind, target) in links {
            let mut header = tar::Header::new_gnu();
            header.set_path("./b").unwrap();
            header.set_link_name(target).unwrap();
            header.set_size(0);
            header.set_mode(0o755);
            header.set_entry_type(*kind);
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
        }
        archive.extend_from_slice(&[0; 1024]);
        archive
    }

    fn all(archive: &[u8]) -> Result<Vec<Member>> {
        read_tar(archive, bound::PACKAGE, |_| true)
    }

    fn error(archive: impl Read, wants: impl Fn(&str) -> bool) -> String {
        format!(
            "{:#}",
            read_tar(archive, bound::PACKAGE, wants).unwrap_err()
        )
    }

    /// An archive with these parts, each with its header's name.
    fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        for (name, part) in parts {
            let size = part.len();
            bytes.extend(format!("{name:<16}{:<32}{size:<10}`\n", "0").bytes());
            bytes.extend(*part);
            bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        }
        bytes
    }

    fn found(archive: &[u8]) -> Result<(String, Vec<u8>)> {
        let (rest, mut part) = part(archive, "data.tar")?;
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes)?;
        Ok((rest, bytes))
    }

    #[test]
    fn a_part_is_found_behind_others() {
        for name in ["data.tar.xz", "data.tar.xz/"] {
            let archive = archive(&[("debian-binary", b"2.0"), (name, b"abc"), ("x", b"d")]);
            assert_eq!(found(&archive).unwrap(), (".xz".into(), b"abc".to_vec()));
        }
    }

    #[test]
    fn what_is_no_package_says_why() {
        let whole = archive(&[("debian-binary", b"2.0\n"), ("data.tar", b"abc")]);
        let text = |archive: &[u8]| found(archive).unwrap_err().to_string();
        assert!(text(b"!<arch>").contains("no archive"));
        assert!(text(&whole[..68 + 4]).contains("no data.tar"));
        assert!(text(&whole[..68 + 2]).contains("a part is cut"));
        assert!(text(&whole[..68 + 4 + 30]).contains("cut or none"));
        let mut size = whole.clone();
        size[8 + 48..8 + 58].fill(b'x');
        assert!(text(&size).contains("no size"));
        let mut end = whole;
        end[8 + 58] = b' ';
        assert!(text(&end).contains("cut or none"));
    }

    #[test]
    fn a_long_name_without_a_table_is_a_name() {
        let text = found(&archive(&[("/737095", b"")]))
            .unwrap_err()
            .to_string();
        assert!(text.contains("no data.tar"), "{text}");
    }

    #[test]
    fn a_size_beyond_all_is_a_part_that_is_cut() {
        let mut all = archive(&[("debian-binary", b"2.0")]);
        all[8 + 48..8 + 58].copy_from_slice(b"9999999999");
        assert!(found(&all).unwrap_err().to_string().contains("cut"));
    }

    #[test]
    fn a_member_is_named_without_its_root() {
        let members = all(&tar("./usr/bin/x", 3)).unwrap();
        assert_eq!(members[0].path, "usr/bin/x");
        assert_eq!(members[0].kind, MemberKind::File(b"abc".to_vec()));
    }

    #[test]
    fn a_hard_link_is_the_file_that_it_names_and_a_symbolic_one_is_itself() {
        let kinds = |kind| all(&links(&[(kind, "./a")])).unwrap().pop().unwrap().kind;
        assert_eq!(kinds(tar::EntryType::Link), MemberKind::File(b"abc".into()));
        assert_eq!(
            kinds(tar::EntryType::Symlink),
            MemberKind::Link("./a".into())
        );
    }

    #[test]
    fn a_hard_link_to_what_did_not_come_before_is_passed_over() {
        let members = all(&links(&[(tar::EntryType::Link, "./c")])).unwrap();
        assert_eq!(members.len(), 1);
    }

    #[test]
    fn a_hard_link_takes_as_much_room_as_what_it_names() {
        const ROOM: u64 = 1 << 20;
        let mut archive = tar("./a", ROOM / 4);
        archive.resize(512 + ROOM as usize / 4, 0);
        let link = &links(&[(tar::EntryType::Link, "./a")])[1024..1536];
        let read = |count: usize| {
            let all = [archive.clone(), link.repeat(count), vec![0; 1024]].concat();
            read_tar(all.as_slice(), ROOM, |_| true).map(|members| members.len())
        };
        assert_eq!(read(3).unwrap(), 4);
        let text = format!("{:#}", read(4).unwrap_err());
        assert!(text.starts_with("b is refused: "), "{text}");
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
