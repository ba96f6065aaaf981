//! A program in a container whose files are its own: `/usr/bin/true` there is another file than the host's.
//!
//! The image has a busybox by that name. Every observer that gives the path as the container's root has it says `/usr/bin/true`,
//! and a rule by that path which was written for the host's file applies to this one as well.
//!
//! Finding: walking up the mounts helps in a chroot, but not here. After pivot_root(2) the container's root is where the old root
//! of its namespace was, with no name above it, and the walk ends there. Names that are read from the dentries alone, without
//! mounts, lead on to the place in the host's tree, which here is by chance on the same file system. The cgroup says whose
//! program this is.
//!
//! See namespaces(7), pivot_root(2); `prepend_path` in fs/d_path.c.

use crate::scenario::{Container, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a container's own /usr/bin/true, under the name of the host's",
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
