//! A thread that is not the leader executes a program.
//!
//! At the point of no return the kernel ends all other threads and gives the caller the leader's id (`de_thread` in
//! fs/exec.c). The trail has the process's id all along.
//!
//! comm is read from the leader. Before the point of no return it is still the old process's, although the thread that
//! opens the program has a name of its own (`worker`); at the next step, which is the loader's, it is the program's.
//!
//! See [c:execve-threads].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec from a thread that is not the leader",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("execve in a thread", "/usr/bin/true", |args| {
        args.execve_in_thread("worker")
    })?
    .itself();
    system.observe(&exec)?;
    Ok(())
}
