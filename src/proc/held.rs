//! `/proc` for a process that must read it whatever somebody mounts over it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;

use crate::sys;

static HELD: OnceLock<OwnedFd> = OnceLock::new();

/// Keeps what is mounted on `/proc` now for this process and those that it forks: [`text`](super::text), [`link`] and the
/// rest of this module, but for lists of directories, read it from then on.
///
/// It is a mount of its own, so that nobody else's unmount finds `/proc` busy. Where the kernel makes none (before 5.2, or
/// without CAP_SYS_ADMIN), `/proc` goes on to be read by its path.
pub fn hold() {
    if let Ok(mount) = sys::clone_mount(c"/proc") {
        // One that is held already stays.
        let _ = HELD.set(mount);
    }
}

/// Opens a file of `/proc` to read it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    match held(HELD.get(), path) {
        Some((mount, path)) => {
            let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
            Ok(openat(mount, path, flags, Mode::empty()).map(File::from)?)
        }
        None => File::open(path),
    }
}

/// The target of a link of `/proc`.
///
/// # Errors
///
/// What readlink(2) says.
pub fn link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    match held(HELD.get(), path.as_ref()) {
        Some((mount, path)) => Ok(readlinkat(mount, path).map(OsString::into)?),
        None => fs::read_link(path),
    }
}

/// The mount that a path is read from, and the path from there; none for one that is read as it is.
fn held<'a>(mount: Option<&'a OwnedFd>, path: &'a Path) -> Option<(&'a OwnedFd, &'a Path)> {
    let path = path.strip_prefix("/proc").ok()?;
    mount.map(|mount| (mount, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_and_not_what_has_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let mount = OwnedFd::from(File::open(directory.path()).unwrap());
        let below = |path| held(Some(&mount), Path::new(path)).map(|(_, path)| path);
        assert_eq!(below("/proc/7/stat"), Some(Path::new("7/stat")));
        assert_eq!((below("/process/7"), below("/sys/x")), (None, None));
        assert!(held(None, Path::new("/proc/7/stat")).is_none());
    }

    #[test]
    fn a_link_is_read_to_its_end() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(link("/proc/self/exe").unwrap(), own);
    }
}
