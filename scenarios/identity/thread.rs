//! What a program is told when a thread executes it that is not the leader and has a name of its
//! own.
//!
//! comm is the program's; the thread goes on as the leader, and its own name (`worker`) is gone.
//!
//! See execve(2); `start/thread` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told that a thread executed",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    let exec = Exec::by("execve in a thread", program, |args| {
        args.execve_in_thread("worker")
    })?
    .itself();
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
