//! What scenarios changed outside of themselves, and how it is restored.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::leftover::{Beside, Fixture};
use crate::files;
use crate::proc::Mount;
use crate::trail::LabKind;

/// Where formats are registered.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";
const PROC: &str = "/proc";
/// How many mounts over it are taken away.
const MOST_COVERS: usize = 64;

/// One thing that was changed.
#[derive(Debug)]
enum Change {
    /// A setting with its old value.
    Sysctl(PathBuf, Vec<u8>),
    /// A file or directory that was not there.
    Path(PathBuf),
    /// A format of binfmt_misc, by its file.
    Format(PathBuf),
}

/// A directory, by device and inode: of one file system another directory may be bound in its place.
type Place = (u64, u64);

/// Changes, undone in reverse order; and how everything was before the first one.
#[derive(Debug)]
pub struct Undo {
    lab: LabKind,
    changes: Vec<Change>,
    mounts: Vec<Mount>,
    /// What is mounted on `/proc`.
    proc: Option<Place>,
    fixture: Fixture,
}

impl Undo {
    /// Remembers how everything is.
    pub fn new(lab: LabKind) -> Result<Undo> {
        Ok(Undo {
            lab,
            changes: Vec::new(),
            mounts: Mount::all()?,
            proc: place(PROC),
            fixture: Fixture::below(Path::new("/"))?,
        })
    }

    /// Writes a setting below `/proc/sys` and remembers the old one.
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<()> {
        if self.lab == LabKind::Native {
            bail!("the native lab changes no setting of the machine ({name})");
        }
        let path = Path::new("/proc/sys").join(name);
        let old = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        fs::write(&path, value)
            .with_context(|| format!("failed to write {value:?} to {}", path.display()))?;
        self.changes.push(Change::Sysctl(path, old));
        Ok(())
    }

    /// Remembers to remove what is going to be made.
    pub fn path(&mut self, path: PathBuf) -> Result<()> {
        if path.symlink_metadata().is_ok() {
            bail!("{} belongs to the fixture", path.display());
        }
        self.changes.push(Change::Path(path));
        Ok(())
    }

    /// Registers a format with binfmt_misc, which is mounted for it where it is not.
    pub fn format(&mut self, name: &str, rule: &str) -> Result<()> {
        if self.lab == LabKind::Native {
            bail!("the native lab changes no setting of the machine (binfmt_misc)");
        }
        let register = Path::new(FORMATS).join("register");
        if !register.exists() {
            let (none, flags) = (None::<&str>, MsFlags::empty());
            mount(
                Some("binfmt_misc"),
                FORMATS,
                Some("binfmt_misc"),
                flags,
                none,
            )
            .with_context(|| format!("failed to mount binfmt_misc on {FORMATS}"))?;
        }
        fs::write(register, rule).with_context(|| format!("failed to register {rule}"))?;
        self.changes
            .push(Change::Format(Path::new(FORMATS).join(name)));
        Ok(())
    }

    /// Takes away what somebody has mounted over `/proc`, which everybody of ours reads; mounts it where it is gone.
    ///
    /// # Errors
    ///
    /// What umount(2) or mount(2) say.
    pub fn uncover(&mut self) -> Result<()> {
        let context = || format!("failed to come to {PROC}, over which the scenario has mounted");
        for _ in 0..MOST_COVERS {
            if place(PROC) == self.proc {
                return Ok(());
            }
            match umount2(PROC, MntFlags::MNT_DETACH) {
                Ok(()) => {}
                Err(Errno::EINVAL) => return self.mount_proc().with_context(context),
                Err(errno) => return Err(errno).with_context(context),
            }
        }
        bail!("{}: {MOST_COVERS} times at least", context())
    }

    /// Mounts `/proc` as it was: nothing is there any more.
    fn mount_proc(&mut self) -> Result<()> {
        let (kind, none) = (Some("proc"), None::<&str>);
        mount(kind, PROC, kind, MsFlags::empty(), none)?;
        self.proc = place(PROC);
        let fresh = Mount::all()?.into_iter();
        let fresh = fresh.filter(|mount| mount.point == Path::new(PROC));
        self.mounts.extend(fresh);
        Ok(())
    }

    /// Restores everything; goes on when one thing fails and names the first that did.
    ///
    /// Where none did, what is left even so in the fixture is named; not where a program beside the scenario may have written it.
    pub fn all(&mut self, beside: Beside) -> Result<()> {
        let mut result = self.uncover();
        // What is mounted on a path goes before it, and after the formats, whose files are on a mount.
        let (paths, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|change| matches!(change, Change::Path(_)));
        for change in others.iter().rev() {
            result = result.and(change.undo());
        }
        result = result.and(self.unmount());
        for change in paths.iter().rev() {
            result = result.and(change.undo());
        }
        let cleaned = self.fixture.clear(Path::new("/tmp"), beside);
        let cleaned = cleaned.context("failed to clear /tmp");
        result
            .and(cleaned)
            .and_then(|()| self.fixture.compare(beside))
    }

    /// Unmounts what was not mounted before, the youngest first.
    fn unmount(&self) -> Result<()> {
        let mut result = Ok(());
        let key = |mount: &Mount| (mount.id, mount.point.clone(), mount.kind.clone());
        let known: Vec<_> = self.mounts.iter().map(key).collect();
        for mount in Mount::all()?.iter().rev() {
            if known.contains(&key(mount)) {
                continue;
            }
            if mount.kind == "cgroup" {
                // The groups would keep the hierarchy alive without its mount.
                result = result.and(remove_groups(&mount.point));
            }
            let done = umount2(&mount.point, MntFlags::MNT_DETACH)
                .with_context(|| format!("failed to unmount {}", mount.point.display()));
            result = result.and(done);
        }
        result
    }
}

impl Change {
    fn undo(&self) -> Result<()> {
        match self {
            Change::Sysctl(path, old) => put_back(path, old)
                .with_context(|| format!("failed to put {} back", path.display())),
            Change::Path(path) => match path.symlink_metadata() {
                Err(_) => Ok(()),
                Ok(found) if found.is_dir() => fs::remove_dir_all(path)
                    .with_context(|| format!("failed to remove {}", path.display())),
                Ok(_) => fs::remove_file(path)
                    .with_context(|| format!("failed to remove {}", path.display())),
            },
            Change::Format(path) => fs::write(path, "-1")
                .with_context(|| format!("failed to take {} out", path.display())),
        }
    }
}

fn place(path: &str) -> Option<Place> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

fn remove_groups(directory: &Path) -> Result<()> {
    for path in files::list(directory)? {
        if path.is_dir() {
            fs::remove_dir(&path)
                .with_context(|| format!("failed to remove the group {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes an old value and reads it again: a setting may take less than it was given.
fn put_back(path: &Path, old: &[u8]) -> Result<()> {
    fs::write(path, old)?;
    let now = fs::read(path)?;
    anyhow::ensure!(now == old, "it is {:?} now", String::from_utf8_lossy(&now));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_proc_in_the_place_of_proc_is_another() {
        assert_eq!(place(PROC), place("/proc/."));
        assert_ne!(place(PROC), place("/proc/self"));
    }
}
