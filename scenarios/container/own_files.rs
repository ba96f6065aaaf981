//! A program in a container whose files are its own: `/usr/bin/true` there is another file than the host's.
//!
//! The image has a busybox by that name. Everybody who tells the path as the container's root has it says
//! `/usr/bin/true`, and a rule by that path which was written for the host's file means this one as well.
//!
//! Finding: to walk the mounts up does not help, as it does in a chroot. After pivot_root(2) the container's root
//! is where its namespace's old root was, with no name above it, and the walk ends there. Names that are fetched from the
//! dentries alone, without mounts, lead on to the place in the host's tree, here by chance on the same file
//! system. The cgroup says whose it is.
//!
//! See namespaces(7), pivot_root(2); `prepend_path` in fs/d_path.c.

use crate::scenario::{Container, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program of the container's own, with the name of one of the host's",
    needs: &[needs::OWN_SETTINGS, needs::CGROUP_V2],
    root: Some("/tmp/root"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let container = Container::new(system, &[])?;
    system.copy("/usr/bin/busybox", "root/usr/bin/true")?;
    let exec = Exec::path("/usr/bin/true")?;
    system.observe(&exec.before(move || container.enter()))?;
    container.remove()
}
