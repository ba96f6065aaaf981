//! A program that is the first process of a pid namespace.
//!
//! Events carry the id that the process has in the monitor's namespace (`fanotify_alloc_event` keeps it as a
//! `struct pid`, `pid_vnr` translates it). Nothing in the monitor's events shows that the process calls itself 1.
//! `NSpid` does, in `/proc/PID/status` and in the fdinfo of a pidfd. Events have a pidfd only with `FAN_REPORT_PIDFD`.
//!
//! See pid_namespaces(7), fanotify(7) `pid`.

use nix::sched::{CloneFlags, unshare};

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started as the first process of a pid namespace",
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
