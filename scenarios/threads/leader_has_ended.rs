//! The leader of a process has ended, and another thread executes a program.
//!
//! A leader that has ended has no memory, so `/proc/PID/exe` leads nowhere (`proc_exe_link` in fs/proc/base.c), as for a kernel
//! thread and for a dead process. This process is neither: its other threads run on, and `/proc/PID/task/TID/exe` of the one that
//! calls is there. So a task without an exe link need not be a usermode helper.
//!
//! An observer that looks by the thread's ID, as this monitor does (`FAN_REPORT_TID`), reads the exe all along. The scenario
//! makes the call only when the process's own link is gone.
//!
//! See proc_pid_exe(5) and proc_pid_task(5).

use std::io::ErrorKind;

use nix::errno::Errno;

use crate::scenario::{Args, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a thread executes a program after its leader has ended",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by(
        "execve after the leader's end",
        "/usr/bin/true",
        after_leader,
    )?;
    system.observe(&exec)?;
    Ok(())
}

fn after_leader(args: &Args<'_>) -> nix::Result<()> {
    std::thread::scope(|scope| {
        let worker = || {
            // `/proc/self` is the leader.
            let is_gone = || {
                let link = std::fs::read_link("/proc/self/exe");
                link.is_err_and(|error| error.kind() == ErrorKind::NotFound)
            };
            while !is_gone() {
                std::thread::yield_now();
            }
            args.execve()
        };
        let builder = std::thread::Builder::new().name("worker".to_owned());
        builder
            .spawn_scoped(scope, worker)
            .map_err(|_| Errno::EAGAIN)?;
        sys::end_thread()
    })
}
