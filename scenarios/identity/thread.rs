//! What a program is told when the thread that executes it is not the leader and has a name of its own.
//!
//! comm is the program's. The thread goes on as the leader, and its own name (`worker`) is gone.
//!
//! See execve(2); `start/thread` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a named thread executes a program: comm is the program's",
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
