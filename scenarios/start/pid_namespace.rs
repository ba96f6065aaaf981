//! A program that is the first process of a pid namespace.
//!
//! Events carry the id that the process has in the monitor's namespace (`fanotify_alloc_event` keeps it
//! as a `struct pid`; `pid_vnr` translates): nothing in those of the monitor shows that it calls itself 1 (`NSpid` in
//! `/proc/PID/status` does, and in the fdinfo of a pidfd, which events have with `FAN_REPORT_PIDFD` alone).
//!
//! See pid_namespaces(7), fanotify(7) `pid`.

use nix::sched::{CloneFlags, unshare};

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started as the first of a pid namespace",
    needs: &[needs::PID_NAMESPACES],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("execve as pid 1", "/usr/bin/true", |args| {
        args.execve_in_child()
    })?;
    system.observe(&exec.before(|| Ok(unshare(CloneFlags::CLONE_NEWPID)?)))?;
    Ok(())
}
