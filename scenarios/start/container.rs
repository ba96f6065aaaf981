//! A program in a container: a cgroup and namespaces of its own, and a root of bind mounts.
//!
//! Each of these changes what one way of watching can say. The path is from a root that others do not
//! see (`/app/true`), and the cgroup is the one thing that names the container: by `/proc/PID/cgroup`,
//! as long as the process is there. (`start/pid_namespace` has the namespace of process ids, which is
//! the children's alone.)
//!
//! See cgroups(7), namespaces(7), pivot_root(2); `prepend_path` in fs/d_path.c.

use std::fs;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, pivot_root};

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started in a container",
    needs: &[needs::OWN_SETTINGS, needs::CGROUP_V2],
    run,
    ..Scenario::DEFAULT
};

/// The container's cgroup.
const GROUP: &str = "/tmp/groups/container";

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let groups = stage.directory("groups")?;
    stage.mount("cgroup2", "none", &groups, "")?;
    fs::create_dir(GROUP)?;
    for directory in ["root/usr", "root/app", "root/etc", "root/old"] {
        stage.directory(directory)?;
    }
    stage.link("usr/lib64", "root/lib64")?;
    stage.link("usr/lib", "root/lib")?;
    let exec = Exec::path("/app/true")?.before(|| {
        fs::write(format!("{GROUP}/cgroup.procs"), "0")?;
        unshare(
            CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWCGROUP
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWNET,
        )?;
        let (none, root) = (None::<&str>, "/tmp/root");
        let binds = [
            (root, root),
            ("/usr", "/tmp/root/usr"),
            ("/usr/bin", "/tmp/root/app"),
            ("/etc", "/tmp/root/etc"),
        ];
        for (from, to) in binds {
            mount(Some(from), to, none, MsFlags::MS_BIND, none)?;
        }
        pivot_root(root, "/tmp/root/old")?;
        Ok(chdir("/")?)
    });
    stage.observe(&exec)?;
    fs::remove_dir(GROUP)?;
    Ok(())
}
