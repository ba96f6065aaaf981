//! A container as a runtime makes one: a cgroup, namespaces, and a root of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

use super::System;

/// Where the hierarchy of cgroups is mounted, and the container's own.
const GROUPS: &str = "/tmp/groups";
const GROUP: &str = "/tmp/groups/container";
/// The container's root.
const ROOT: &str = "/tmp/root";

/// What a container's first process moves into.
#[derive(Clone, Copy, Debug)]
pub struct Container {
    /// Directories that it shares with the host.
    shared: &'static [&'static str],
}

impl Container {
    /// Makes cgroup and root; these directories of the host are in it as they are.
    ///
    /// # Errors
    ///
    /// Something of it cannot be made.
    pub fn new(system: &mut System, shared: &'static [&'static str]) -> Result<Container> {
        let groups = system.directory("groups")?;
        system.mount("cgroup2", "none", &groups, "")?;
        fs::create_dir(GROUP).with_context(|| format!("failed to make {GROUP} in {GROUPS}"))?;
        for directory in shared.iter().chain(&["/proc", "/old"]) {
            let inside = format!("{ROOT}{directory}");
            system.directory(inside.trim_start_matches("/tmp/"))?;
        }
        Ok(Container { shared })
    }

    /// As [`Container::enter`]; this process's next child is the first of a pid namespace as well.
    ///
    /// # Errors
    ///
    /// What a call says.
    pub fn enter_with_first(self) -> Result<()> {
        self.enter()?;
        Ok(unshare(CloneFlags::CLONE_NEWPID)?)
    }

    /// Moves this process into the cgroup, new namespaces of mounts, cgroups, names, System V IPC and network, and
    /// the root.
    ///
    /// # Errors
    ///
    /// What a call says.
    pub fn enter(self) -> Result<()> {
        fs::write(format!("{GROUP}/cgroup.procs"), "0").context("failed to join the cgroup")?;
        unshare(
            CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWCGROUP
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWNET,
        )?;
        let bind = |from: &Path, to: &Path| {
            let none = None::<&str>;
            let bound = mount(Some(from), to, none, MsFlags::MS_BIND, none);
            bound.with_context(|| format!("failed to bind {}", to.display()))
        };
        bind(Path::new(ROOT), Path::new(ROOT))?;
        for directory in self.shared.iter().chain(&["/proc"]) {
            bind(
                Path::new(directory),
                &PathBuf::from(format!("{ROOT}{directory}")),
            )?;
        }
        pivot_root(ROOT, &*format!("{ROOT}/old")).context("failed to pivot")?;
        Ok(chdir("/")?)
    }

    /// Gives the cgroup back, when everybody has left it.
    ///
    /// # Errors
    ///
    /// What rmdir(2) says.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir(GROUP).with_context(|| format!("failed to remove {GROUP}"))
    }
}
