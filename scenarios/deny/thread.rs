//! What a refusal does when a thread executes that is not the leader.
//!
//! A refused exec leaves the other threads alone, because they are ended only at the point of no
//! return: the process goes on with all of them. (But for the workers of the caller's io_uring on 5.10: `bprm_execve` there cancels
//! its requests and ends them before it opens the program, `io_uring_clean_tctx` in io_uring/io_uring.c; read in source.)
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program that a thread executes refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("execve in a thread", "/usr/bin/true", |args| {
        args.execve_in_thread("worker")
    })?
    .itself();
    system.refuse_each(&exec)?;
    Ok(())
}
