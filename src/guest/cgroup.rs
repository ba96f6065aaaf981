//! A cgroup around the lab, so that a scenario that forks for ever meets a limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::unistd::Pid;

use crate::proc::{Cgroups, Mount};

/// How many processes may live in the lab.
const PROCESSES: &str = "256";
/// Names of ours: this and the keeper's process id.
const PREFIX: &str = "exetrail-native-";
/// How long the kernel may take to find a cgroup empty whose processes are reaped.
const EMPTY: Duration = Duration::from_secs(2);

/// A cgroup of ours; removed when dropped.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// Makes one below the cgroup that we are in: in the v1 pids hierarchy, else in v2.
    ///
    /// # Errors
    ///
    /// There is no cgroup file system that we may write to.
    pub fn make() -> Result<Cgroup> {
        let parents = parents()?;
        sweep(&parents);
        let mut last = None;
        for parent in &parents {
            let directory = parent.join(format!("{PREFIX}{}", std::process::id()));
            match fs::create_dir(&directory) {
                Ok(()) => {
                    let cgroup = Cgroup { directory };
                    let limit = cgroup.directory.join("pids.max");
                    // In v2 the controller may not be delegated to us: then it only holds together.
                    if limit.exists() {
                        fs::write(&limit, PROCESSES)
                            .with_context(|| format!("failed to write {}", limit.display()))?;
                    }
                    return Ok(cgroup);
                }
                Err(error) => last = Some((directory, error)),
            }
        }
        let Some((directory, error)) = last else {
            anyhow::bail!("no cgroup file system is mounted: mount cgroup2 on /sys/fs/cgroup");
        };
        Err(error).with_context(|| format!("failed to make {}", directory.display()))
    }

    /// Puts a process, and so all that it will start, into it.
    ///
    /// # Errors
    ///
    /// What the kernel says, with the path.
    pub fn take(&self, pid: Pid) -> Result<()> {
        let place = self.directory.join("cgroup.procs");
        fs::write(&place, pid.to_string())
            .with_context(|| format!("failed to write {}", place.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + EMPTY;
        // It takes microseconds.
        while fs::remove_dir(&self.directory).is_err() && Instant::now() < deadline {
            std::thread::yield_now();
        }
    }
}

/// Removes what a keeper left that was killed.
pub fn sweep_all() {
    // A system without cgroups has none of ours.
    if let Ok(parents) = parents() {
        sweep(&parents);
    }
}

fn sweep(parents: &[PathBuf]) {
    for directory in orphans(parents) {
        // One that still has processes stays: they are about to be killed with their PID 1.
        let _ = fs::remove_dir(directory);
    }
}

/// Cgroups of ours whose keeper is gone.
#[must_use]
pub fn left() -> Vec<PathBuf> {
    parents().map_or_else(|_| Vec::new(), |parents| orphans(&parents))
}

fn orphans(parents: &[PathBuf]) -> Vec<PathBuf> {
    let entries = parents
        .iter()
        .filter_map(|parent| fs::read_dir(parent).ok());
    let orphan = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
    };
    let orphans = entries.flatten().flatten().filter(orphan);
    orphans.map(|entry| entry.path()).collect()
}

/// Our own cgroups' directories in the hierarchies that can limit processes, v1 first.
fn parents() -> Result<Vec<PathBuf>> {
    Ok(directories(&Cgroups::own(), &Mount::all()?))
}

fn directories(own: &Cgroups, mounts: &[Mount]) -> Vec<PathBuf> {
    let mount = |kind: &str, option: Option<&str>| {
        let fits = |mount: &&Mount| mount.kind == kind && option.is_none_or(|o| mount.has(o));
        mounts.iter().find(fits)
    };
    let below = |mount: &Mount, path: &str| {
        // In a container the mount shows only what is below the container's own cgroup.
        let path = Path::new(path);
        let path = path.strip_prefix(&mount.root).unwrap_or(Path::new(""));
        mount.point.join(path)
    };
    let v1 = own.v1("pids");
    let v1 = v1.and_then(|path| Some(below(mount("cgroup", Some("pids"))?, path)));
    let v2 = own.v2();
    let v2 = v2.and_then(|path| Some(below(mount("cgroup2", None)?, path)));
    v1.into_iter().chain(v2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(own: &str, mounts: &str) -> Vec<String> {
        let directories = directories(&own.into(), &Mount::parse(mounts.as_bytes()));
        directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect()
    }

    #[test]
    fn the_v1_pids_hierarchy_comes_before_v2() {
        let own = "8:pids:/a\n7:memory:/b\n0::/c\n";
        let mounts = "30 1 0:1 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      31 1 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            found(own, mounts),
            ["/sys/fs/cgroup/pids/a", "/sys/fs/cgroup/unified/c"]
        );
    }

    #[test]
    fn v2_alone_does() {
        let mounts = "31 1 0:2 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(
            found("0::/user.slice/x\n", mounts),
            ["/sys/fs/cgroup/user.slice/x"]
        );
    }

    #[test]
    fn a_mount_of_a_part_shows_paths_below_that_part() {
        let mounts = "31 1 0:2 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(found("0::/docker/1/x\n", mounts), ["/sys/fs/cgroup/x"]);
    }

    #[test]
    fn without_a_mount_there_is_no_place() {
        assert!(found("0::/\n", "").is_empty());
    }
}
