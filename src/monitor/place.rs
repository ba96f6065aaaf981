//! Where a watch is: the mount that a mark covers, and what of it was asked for.

use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FUSE_SUPER_MAGIC, fstatfs};

/// A place as the kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path without symlinks.
    pub path: PathBuf,
    /// Where its mount is; none where that is outside of our root.
    pub mount: Option<PathBuf>,
}

impl Place {
    /// Looks a path up; to be called before anything is watched.
    ///
    /// # Errors
    ///
    /// There is no such path, or it is served by a process (FUSE): to hand an event out, the kernel
    /// opens the file for us, and while that process does not answer no signal ends the wait
    /// (`request_wait_answer` in fs/fuse/dev.c).
    pub fn find(path: &Path) -> Result<Place> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let file = open(path, flags, Mode::empty())
            .with_context(|| format!("failed to find {}", path.display()))?;
        let number = file.as_raw_fd();
        let real = fs::read_link(format!("/proc/self/fd/{number}"))
            .with_context(|| format!("failed to read the name of {}", path.display()))?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))
            .context("failed to read a descriptor's mount")?;
        let mounts = fs::read("/proc/self/mountinfo").context("failed to read the mounts")?;
        let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
        let mount = id.and_then(|id| Mount::find(id.trim(), &mounts));
        let served = match &mount {
            // Asking the file system itself would be answered by that process, or not.
            Some(mount) => mount.is_served(),
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
        Ok(Place { path: real, mount })
    }

    /// The part of the mount that was asked for; none for all of it.
    #[must_use]
    pub fn part(&self) -> Option<&Path> {
        (self.mount.as_ref()? != &self.path).then_some(&self.path)
    }
}

/// A line of proc_pid_mountinfo(5).
struct Mount {
    point: PathBuf,
    kind: Vec<u8>,
}

impl Mount {
    fn find(id: &str, mounts: &[u8]) -> Option<Mount> {
        let mut lines = mounts.split(|byte| *byte == b'\n').map(|line| {
            let fields = line.split(|byte| *byte == b' ');
            fields.collect::<Vec<_>>()
        });
        let fields = lines.find(|fields| fields.first() == Some(&id.as_bytes()))?;
        let end = fields.iter().position(|field| *field == b"-")?;
        Some(Mount {
            point: unescaped(fields.get(4)?).into(),
            kind: fields.get(end + 1)?.to_vec(),
        })
    }

    /// Whether a process answers for it: `fuse`, `fuseblk`, `fuse.NAME`, or the host by the same protocol.
    fn is_served(&self) -> bool {
        self.kind.starts_with(b"fuse") || self.kind == b"virtiofs"
    }
}

/// Blanks, tabs, newlines and backslashes are octal in the table of mounts.
fn unescaped(field: &[u8]) -> OsString {
    let mut path = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        path.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &rest[4..] } else { after };
    }
    OsString::from_vec(path)
}

/// Whether a group still has a mark: one goes with its mount or file system
/// (proc_pid_fdinfo(5), "fanotify"). None where the kernel does not tell.
#[must_use]
pub fn is_marked(group: RawFd) -> Option<bool> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{group}")).ok()?;
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
    fn a_mount_point_may_have_a_blank() {
        let mounts = b"21 1 0:1 / / rw - ext4 a rw\n22 21 0:2 / /a\\040b\\134 rw - tmpfs b rw\n";
        let mount = Mount::find("22", mounts).unwrap();
        assert_eq!(mount.point, Path::new("/a b\\"));
        assert!(!mount.is_served());
        assert!(Mount::find("2", mounts).is_none());
    }

    #[test]
    fn fuse_is_known_by_its_type() {
        let mounts = b"23 21 0:3 / /f rw shared:1 - fuse.sshfs host rw";
        assert!(Mount::find("23", mounts).unwrap().is_served());
        let mounts = b"24 21 0:4 / /v rw - virtiofs host rw";
        assert!(Mount::find("24", mounts).unwrap().is_served());
    }

    #[test]
    fn a_mount_itself_has_no_part() {
        let place = Place::find("/proc".as_ref()).unwrap();
        assert_eq!(place.part(), None);
        let place = Place::find("/proc/sys/kernel".as_ref()).unwrap();
        assert_eq!(place.part(), Some(Path::new("/proc/sys/kernel")));
    }
}
