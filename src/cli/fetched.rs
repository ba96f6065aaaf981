//! What `boot --fetch` brings back from a guest.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use crate::files;
use crate::unpack::{Keep, unpack as unpack_archive};

/// A path of the guest, and where it goes here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// In the guest.
    pub guest: String,
    /// On the host.
    pub host: PathBuf,
}

impl FromStr for Fetched {
    type Err = String;

    /// Reads `GUEST` or `GUEST:HOST`; into a directory that is there it goes under its own name.
    fn from_str(word: &str) -> Result<Fetched, String> {
        let (guest, host) = word.split_once(':').unwrap_or((word, "."));
        let name = Path::new(guest).file_name();
        let name = name.ok_or_else(|| format!("{guest:?} names no file"))?;
        if !guest.starts_with('/') {
            return Err(format!("{guest:?} is not absolute"));
        }
        let place = Path::new(host);
        let host = match place.is_dir() {
            true => place.join(name),
            false if host.is_empty() => {
                return Err(format!("{word:?} names no place here: leave the colon out"));
            }
            // Words of a directory, which `Path` takes for those of a file.
            false if ["/", "/.", "/.."].iter().any(|end| host.ends_with(end)) => {
                return Err(format!("there is no directory {host:?} to fetch into"));
            }
            false => place.to_owned(),
        };
        Ok(Fetched {
            guest: guest.to_owned(),
            host,
        })
    }
}

impl Fetched {
    /// Refuses, before anything is booted, what could not be kept.
    ///
    /// # Errors
    ///
    /// Something is there already, or the directory that it goes to is not, or takes no files.
    pub fn check(&self) -> Result<()> {
        if self.host.symlink_metadata().is_ok() {
            bail!(
                "{} is there already: --fetch overwrites nothing",
                self.host.display()
            );
        }
        let parent = parent(&self.host);
        if !parent.is_dir() {
            bail!("{} is no directory to fetch into", parent.display());
        }
        tempfile::tempfile_in(parent)
            .with_context(|| format!("{} takes no files to fetch", parent.display()))?;
        Ok(())
    }
}

/// The directory that a path is in; for a name alone the working directory.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Unpacks what came from the guest, beside its place, and puts it there when it is whole.
///
/// # Errors
///
/// The archive has what an archive of ours does not, or cannot be written.
pub fn unpack(archive: &[u8], wanted: &Fetched) -> Result<()> {
    // What failed is said by who asks for it.
    let context = || format!("{} to {}", wanted.guest, wanted.host.display());
    wanted.check().with_context(context)?;
    let work = tempfile::tempdir_in(parent(&wanted.host)).with_context(context)?;
    let file = work.path().join("archive.cpio");
    std::fs::write(&file, archive).with_context(context)?;
    let inside = work.path().join("inside");
    std::fs::create_dir(&inside).with_context(context)?;
    unpack_archive(&file, &inside, Keep::Permissions).with_context(context)?;
    let found = files::list(&inside)?;
    let [one] = found.as_slice() else {
        bail!("{}: it is not one file or directory", wanted.guest);
    };
    let found = one.symlink_metadata().with_context(context)?;
    if !found.is_dir() {
        return std::fs::rename(one, &wanted.host).with_context(context);
    }
    // A directory is moved by who may write to it (rename(2), EACCES).
    let open = Permissions::from_mode(found.permissions().mode() | 0o700);
    std::fs::set_permissions(one, open)
        .and_then(|()| std::fs::rename(one, &wanted.host))
        .and_then(|()| std::fs::set_permissions(&wanted.host, found.permissions()))
        .with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{capabilities, set_capabilities};

    #[test]
    fn a_path_goes_into_a_directory_under_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().display();
        let fetched: Fetched = format!("/tmp/out:{own}").parse().unwrap();
        assert_eq!(fetched.host, dir.path().join("out"));
        let fetched: Fetched = format!("/tmp/out:{own}/other").parse().unwrap();
        assert_eq!(fetched.host, dir.path().join("other"));
        assert_eq!(
            "/tmp/out".parse::<Fetched>().unwrap().host,
            Path::new("./out")
        );
    }

    #[test]
    fn a_directory_that_nobody_may_write_to_comes_whole_to_an_ordinary_user() {
        let made = || {
            // Of this thread alone: where root runs it, it may no longer write where no mode lets it (capabilities(7)).
            const DAC_OVERRIDE: u64 = 1 << 1;
            let [effective, permitted, inheritable] = capabilities().unwrap();
            set_capabilities(permitted, effective & !DAC_OVERRIDE, inheritable).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let mut bytes = Vec::new();
            for (name, mode, content) in [
                ("out", 0o040_555, ""),
                ("out/in", 0o040_555, ""),
                ("out/in/file", 0o104_444, "x"),
            ] {
                let builder = cpio::newc::Builder::new(name).mode(mode).nlink(1).uid(1);
                let size = u32::try_from(content.len()).unwrap();
                let mut member = builder.write(&mut bytes, size);
                std::io::Write::write_all(&mut member, content.as_bytes()).unwrap();
                member.finish().unwrap();
            }
            cpio::newc::trailer(&mut bytes).unwrap();
            let host = dir.path().join("out");
            let wanted = Fetched {
                guest: "/out".into(),
                host: host.clone(),
            };
            unpack(&bytes, &wanted).unwrap();
            let mode = |place: &Path| place.metadata().unwrap().permissions().mode() & 0o7777;
            let modes = [&host, &host.join("in"), &host.join("in/file")].map(|place| mode(place));
            assert_eq!(modes, [0o555, 0o555, 0o444]);
            for place in [&host, &host.join("in")] {
                std::fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
            }
        };
        std::thread::spawn(made).join().unwrap();
    }

    #[test]
    fn what_names_nothing_is_an_error() {
        assert!("/".parse::<Fetched>().is_err());
        assert!(
            "out"
                .parse::<Fetched>()
                .unwrap_err()
                .contains("not absolute")
        );
    }

    #[test]
    fn a_place_that_can_take_nothing_is_an_error_before_anything_boots() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().display().to_string();
        for place in ["/new/", "/new/.", "/new/.."] {
            let error = format!("/x:{own}{place}").parse::<Fetched>().unwrap_err();
            assert!(error.contains("there is no directory"), "{error}");
        }
        let error = "/x:".parse::<Fetched>().unwrap_err();
        assert!(error.contains("names no place here"), "{error}");
        let error = "/x:/proc/zzz".parse::<Fetched>().unwrap().check();
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "/proc takes no files to fetch");
        format!("/x:{own}/..new")
            .parse::<Fetched>()
            .unwrap()
            .check()
            .unwrap();
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("out"), "mine").unwrap();
        let fetched: Fetched = format!("/tmp/out:{}", dir.path().display())
            .parse()
            .unwrap();
        assert!(
            fetched
                .check()
                .unwrap_err()
                .to_string()
                .contains("overwrites nothing")
        );
    }
}
