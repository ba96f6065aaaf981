//! A listener denies (`FAN_DENY`) each event of an exec by a thread that is not the leader, in turn, one case per event. The
//! first case denies nothing.
//!
//! A denied exec leaves the other threads alone, because the kernel ends them only at the point of no return: the process
//! goes on with all of them.
//!
//! The workers of the caller's io_uring are an exception on 5.10. There `bprm_execve` cancels the caller's requests and ends
//! the workers before it opens the program (`io_uring_clean_tctx` in io_uring/io_uring.c; read in source).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a program that a thread executes",
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
