//! A program in a container whose files are the host's: a cgroup of its own, all namespaces but those of users
//! and time, and a root that is put together of bind mounts.
//!
//! The process is the first of its pid namespace, and has another number outside of it. Its files have the names
//! that they have in its root: what is mounted there is no mount of the monitor's, so that the path of an event begins at the
//! container's root (`prepend_path` in fs/d_path.c). What names the container here is the cgroup: inside the kernel
//! for every exec, by `/proc/PID/cgroup` as long as the process is there.
//!
//! See cgroups(7), namespaces(7), pivot_root(2).

use crate::scenario::{Container, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program of the host's, started in a container",
    needs: &[needs::OWN_SETTINGS, needs::CGROUP_V2, needs::PID_NAMESPACES],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let container = Container::new(system, &["/usr", "/etc"])?;
    system.link("usr/lib64", "root/lib64")?;
    system.link("usr/lib", "root/lib")?;
    let exec = Exec::by("execve in a container", "/usr/bin/true", |args| {
        args.execve_in_child()
    })?;
    system.observe(&exec.before(move || container.enter_with_first()))?;
    container.remove()
}
