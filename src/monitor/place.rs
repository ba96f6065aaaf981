//! Where a watch is: the mount that a mark covers, and what of it was asked for.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FUSE_SUPER_MAGIC, fstatfs};

use crate::proc::Mount;

/// A place as the kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path without symlinks.
    pub path: PathBuf,
    /// Where its mount is; none where that is outside of our root.
    pub mount: Option<PathBuf>,
}

impl Place {
    /// Looks a path up; to be called before anything is watched. Also what was found, to be marked and let go.
    ///
    /// # Errors
    ///
    /// There is no such path, or it is served by a process (FUSE): to hand an event out, the kernel
    /// opens the file for us, and once that process has read the request no signal ends the wait for its answer
    /// (`request_wait_answer` in fs/fuse/dev.c).
    pub fn find(path: &Path) -> Result<(Place, Found)> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let file = open(path, flags, Mode::empty())
            .with_context(|| format!("failed to find {}", path.display()))?;
        let number = file.as_raw_fd();
        let real = fs::read_link(format!("/proc/self/fd/{number}"))
            .with_context(|| format!("failed to read the name of {}", path.display()))?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))
            .context("failed to read a descriptor's mount")?;
        let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
        let id = id.and_then(|id| id.trim().parse::<u64>().ok());
        let mount = Mount::all()?.into_iter().find(|mount| Some(mount.id) == id);
        let served = match &mount {
            // Asking the file system itself would be answered by that process, or not.
            Some(mount) => is_served(&mount.kind),
            None => {
                fstatfs(&file)
                    .with_context(|| format!("failed to look at {}", path.display()))?
                    .filesystem_type()
                    == FUSE_SUPER_MAGIC
            }
        };
        if served {
            bail!(
                "{} is served by a process (FUSE): one that does not answer would hold the monitor, \
                 and everybody with it, where SIGKILL does not reach",
                path.display()
            );
        }
        let mount = mount.map(|mount| mount.point);
        Ok((Place { path: real, mount }, Found(file)))
    }

    /// The part of the mount that was asked for; none for all of it.
    #[must_use]
    pub fn part(&self) -> Option<&Path> {
        (self.mount.as_ref()? != &self.path).then_some(&self.path)
    }
}

/// What was found at a path: another one may be found there later. For as long as it is kept nobody unmounts it.
#[derive(Debug)]
pub struct Found(OwnedFd);

impl Found {
    /// A path that leads there.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

/// Whether a process answers for a type of file system: `fuse`, `fuseblk`, `fuse.NAME`, or the host by
/// the same protocol.
fn is_served(kind: &str) -> bool {
    let (driver, _) = kind.split_once('.').unwrap_or((kind, ""));
    ["fuse", "fuseblk", "virtiofs"].contains(&driver)
}

/// Whether a group still has a mark: one goes with its mount or file system
/// (proc_pid_fdinfo(5), "fanotify"). None where the kernel does not tell.
#[must_use]
pub fn is_marked(group: RawFd) -> Option<bool> {
    tells_of_mark(&fs::read_to_string(format!("/proc/self/fdinfo/{group}")).ok()?)
}

/// The first line is the group's own, and is there without a mark as well (`fanotify_show_fdinfo` in fs/notify/fdinfo.c).
fn tells_of_mark(info: &str) -> Option<bool> {
    let mut lines = info
        .lines()
        .filter_map(|line| line.strip_prefix("fanotify "));
    lines
        .next()
        .map(|_| lines.any(|line| line.starts_with("mnt_id:") || line.starts_with("sdev:")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuse_is_known_by_its_type() {
        for kind in ["fuse", "fuse.sshfs", "fuseblk", "fuseblk.x", "virtiofs"] {
            assert!(is_served(kind), "{kind}");
        }
        // Its files are the kernel's own.
        assert!(!is_served("fusectl") && !is_served("tmpfs"));
    }

    const GROUP: &str = "pos:\t0\nflags:\t02\nfanotify flags:5 event-flags:0\n";

    #[test]
    fn a_kernel_that_says_nothing_of_groups_does_not_tell() {
        assert_eq!(tells_of_mark("pos:\t0\nflags:\t02\n"), None);
    }

    #[test]
    fn a_group_without_a_mark_has_lost_it() {
        assert_eq!(tells_of_mark(GROUP), Some(false));
    }

    #[test]
    fn a_mark_of_a_mount_is_one() {
        let info = format!("{GROUP}fanotify mnt_id:1d mflags:0 mask:10000 ignored_mask:0\n");
        assert_eq!(tells_of_mark(&info), Some(true));
    }

    #[test]
    fn a_mark_of_a_file_system_is_one() {
        let info = format!("{GROUP}fanotify sdev:3a mflags:0 mask:10000 ignored_mask:0\n");
        assert_eq!(tells_of_mark(&info), Some(true));
    }

    #[test]
    fn a_mount_itself_has_no_part() {
        let (place, _) = Place::find("/proc".as_ref()).unwrap();
        assert_eq!(place.part(), None);
        let (place, _) = Place::find("/proc/sys/kernel".as_ref()).unwrap();
        assert_eq!(place.part(), Some(Path::new("/proc/sys/kernel")));
    }
}
