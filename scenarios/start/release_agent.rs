//! The kernel starts the release agent of a cgroup of version 1.
//!
//! When the last process has left a group with `notify_on_release`, here by its end, and the group has no groups below
//! it (`cgroup1_check_for_release`), the kernel starts the program that was set for the hierarchy
//! (`cgroup1_release_agent`; both in kernel/cgroup/cgroup-v1.c). The worker that starts it waits for the exec and not
//! for the end: the program can run long after the process that caused it is gone. CVE-2022-0492 was about getting out
//! of a container this way.
//!
//! See [c:cgroups-release].

use std::fs;

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "release agent of a cgroup started by the kernel",
    needs: &[needs::KERNEL_HELPERS, needs::CGROUP_V1],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let groups = system.directory("groups")?;
    system.mount("cgroup", "none", &groups, "none,name=exetrail")?;
    fs::write("/tmp/groups/release_agent", "/usr/bin/true")?;
    fs::create_dir("/tmp/groups/one")?;
    fs::write("/tmp/groups/one/notify_on_release", "1")?;
    let exec = Exec::path("/usr/bin/busybox")?
        .argv(&["busybox", "true"])?
        .before(|| Ok(fs::write("/tmp/groups/one/cgroup.procs", "0")?));
    system.observe(&exec.helper("/usr/bin/true"))?;
    Ok(())
}
