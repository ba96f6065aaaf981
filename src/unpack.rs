//! Unpacks cpio archives below a directory. Nothing else in exetrail unpacks one.
//!
//! A guest unpacks its root, and the host what it fetches from a guest.
//!
//! In the native lab this is root on the user's own machine, so the archive is not believed: a name
//! that is absolute, has `..` or leads through a symlink ends it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::below::Below;

/// What entries keep of what an archive says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Owners and all bits of the mode: in a guest.
    All,
    /// The permissions for user, group and others: what comes from a guest is ours, and no program that sets ids.
    Permissions,
}

/// Makes the directories, files and symlinks of the archives (newc) in a file below `root`.
///
/// One archive follows the other, as the kernel has it for an initramfs. A directory that an earlier
/// one made keeps its mode.
///
/// # Errors
///
/// A damaged archive, a name that leads out of `root` or through a symlink, an entry of another kind, or
/// what cannot be written, with its path.
pub fn unpack(archive: &Path, root: &Path, keep: Keep) -> Result<()> {
    let open = || format!("failed to open {}", archive.display());
    let mut input = BufReader::new(fs::File::open(archive).with_context(open)?);
    let mut directories = Vec::new();
    while !input.fill_buf().with_context(open)?.is_empty() {
        let mut reader = cpio::newc::Reader::new(&mut input)
            .with_context(|| format!("failed to read {}", archive.display()))?;
        if reader.entry().is_trailer() {
            reader.finish().with_context(open)?;
            continue;
        }
        let name = reader.entry().name().to_owned();
        let refused = || format!("failed to unpack {}", archive.display());
        let place = Below::parse(&name)
            .and_then(|name| name.place(root))
            .with_context(refused)?;
        let context = || format!("failed to unpack {}", place.display());
        let mode = reader.entry().mode();
        let (bits, owner) = match keep {
            Keep::All => (0o7777, (reader.entry().uid(), reader.entry().gid())),
            Keep::Permissions => (0o777, (0, 0)),
        };
        let permissions = fs::Permissions::from_mode(mode & bits);
        // Not with the capacity that the archive claims.
        let mut content = Vec::new();
        reader.read_to_end(&mut content).with_context(context)?;
        reader.finish().with_context(context)?;
        match mode & 0o170_000 {
            0o040_000 if fs::symlink_metadata(&place).is_ok_and(|found| found.is_dir()) => {}
            0o040_000 => {
                fs::create_dir(&place).with_context(context)?;
                own(&place, owner).with_context(context)?;
                directories.push((place, permissions));
            }
            0o100_000 => {
                let mut file = fs::File::create_new(&place).with_context(context)?;
                file.write_all(&content).with_context(context)?;
                // A change of owner clears bits of the mode.
                own(&place, owner).with_context(context)?;
                file.set_permissions(permissions).with_context(context)?;
            }
            0o120_000 => {
                let target = String::from_utf8(content).with_context(context)?;
                symlink(target, &place).with_context(context)?;
                own(&place, owner).with_context(context)?;
            }
            other => bail!("{}: unknown kind of file {other:o}", place.display()),
        }
    }
    // Last, from the inside out: a directory may not let its own user write.
    for (place, permissions) in directories.into_iter().rev() {
        fs::set_permissions(&place, permissions)
            .with_context(|| format!("failed to unpack {}", place.display()))?;
    }
    Ok(())
}

/// What is nobody's in particular belongs to who unpacks it.
fn own(place: &Path, (uid, gid): (u32, u32)) -> std::io::Result<()> {
    match (uid, gid) {
        (0, 0) => Ok(()),
        (uid, gid) => lchown(place, Some(uid), Some(gid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: u32 = 0o104_755;
    const LINK: u32 = 0o120_777;

    /// An archive of these entries, written without any check, unpacked into `root` of a directory.
    fn unpacked(entries: &[(&str, u32, &str)]) -> (tempfile::TempDir, Result<()>) {
        unpacked_all(&[entries], Keep::All)
    }

    fn unpacked_all(
        archives: &[&[(&str, u32, &str)]],
        keep: Keep,
    ) -> (tempfile::TempDir, Result<()>) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        for entries in archives {
            for (name, mode, content) in *entries {
                let size = u32::try_from(content.len()).unwrap();
                let builder = cpio::newc::Builder::new(name).mode(*mode).nlink(1);
                let mut member = builder.write(&mut bytes, size);
                member.write_all(content.as_bytes()).unwrap();
                member.finish().unwrap();
            }
            cpio::newc::trailer(&mut bytes).unwrap();
        }
        let archive = dir.path().join("hostile.cpio");
        fs::write(&archive, bytes).unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let result = unpack(&archive, &root, keep);
        (dir, result)
    }

    fn refused(entries: &[(&str, u32, &str)], why: &str) -> tempfile::TempDir {
        let (dir, result) = unpacked(entries);
        let error = format!("{:#}", result.unwrap_err());
        assert!(
            error.contains("hostile.cpio") && error.contains(why),
            "{error}"
        );
        dir
    }

    #[test]
    fn an_absolute_name_writes_nothing() {
        let outside = tempfile::tempdir().unwrap();
        let name = outside.path().join("rootshell");
        refused(&[(name.to_str().unwrap(), FILE, "x")], "is absolute");
        assert!(!name.exists());
    }

    #[test]
    fn a_name_that_leads_up_writes_nothing() {
        let dir = refused(&[("../rootshell", FILE, "x")], "has the part \"..\"");
        assert!(!dir.path().join("rootshell").exists());
    }

    #[test]
    fn a_name_through_a_symlink_of_the_archive_writes_nothing() {
        let dir = refused(
            &[("out", LINK, ".."), ("out/rootshell", FILE, "x")],
            "through the symlink out",
        );
        assert!(!dir.path().join("rootshell").exists());
    }

    #[test]
    fn a_file_in_the_place_of_a_symlink_writes_nothing() {
        let dir = refused_at_place(&[("x", LINK, "../rootshell"), ("x", FILE, "x")]);
        assert!(!dir.path().join("rootshell").exists());
    }

    fn refused_at_place(entries: &[(&str, u32, &str)]) -> tempfile::TempDir {
        let (dir, result) = unpacked(entries);
        assert!(format!("{:#}", result.unwrap_err()).contains("File exists"));
        dir
    }

    #[test]
    fn a_second_archive_adds_to_the_first_and_keeps_its_directories() {
        let first: &[_] = &[("a", 0o041_777, ""), ("a/b", FILE, "x")];
        let (dir, result) = unpacked_all(
            &[first, &[("a", 0o040_755, ""), ("a/c", FILE, "y")]],
            Keep::All,
        );
        result.unwrap();
        let root = dir.path().join("root/a");
        assert_eq!(fs::read(root.join("b")).unwrap(), b"x");
        assert_eq!(fs::read(root.join("c")).unwrap(), b"y");
        assert_eq!(fs::metadata(root).unwrap().permissions().mode(), 0o041_777);
    }

    #[test]
    fn plain_names_are_unpacked_with_their_bits() {
        let (dir, result) = unpacked(&[("a", 0o040_755, ""), ("a/b", FILE, "x")]);
        result.unwrap();
        let file = fs::metadata(dir.path().join("root/a/b")).unwrap();
        assert_eq!(file.permissions().mode(), FILE);
    }

    #[test]
    fn permissions_alone_are_those_without_bits_that_set_ids() {
        let entries: &[_] = &[("a", 0o047_755, ""), ("b", FILE | 0o7000, "x")];
        let (dir, result) = unpacked_all(&[entries], Keep::Permissions);
        result.unwrap();
        for name in ["a", "b"] {
            let found = fs::metadata(dir.path().join("root").join(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o7777, 0o755);
        }
    }
}
