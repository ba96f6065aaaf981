//! A program in a container whose files are the host's. The container has a cgroup of its own, namespaces of its own except those
//! of users and time, and a root put together from bind mounts.
//!
//! The process is the first of its pid namespace, and has another number outside of it. Its files have the names that they have
//! in its root: no mount there is one of the monitor's, so the path of an event begins at the container's root (`prepend_path` in
//! fs/d_path.c). Here the cgroup names the container: inside the kernel for every exec, through `/proc/PID/cgroup` as long as the
//! process is there.
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
