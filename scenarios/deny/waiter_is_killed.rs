//! SIGKILL kills a process while it waits for the answer to its event. Every event of the start is the one that it waits for,
//! in turn.
//!
//! The wait is killable, so the process ends without an answer. `fanotify_get_response` waits with
//! `wait_event_state(..., TASK_KILLABLE|TASK_FREEZABLE)`; older kernels with `wait_event_killable`, since 5.1.
//!
//! The kernel accepts the late answer all the same: write(2) of it succeeds (the monitor fails where a write does). An event
//! that was handed out stays in the group's list of accesses, cancelled, until it is answered, and the answer frees it
//! (`fanotify_get_response`, `finish_permission_event`). So a program that a slow policy holds can still be killed, and the
//! listener does not learn of it from its answer.

use crate::scenario::{EVENTS_OF_TRUE, Exec, Scenario, System, needs};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "SIGKILL ends a process that waits for a listener's answer",
    needs: &[needs::EXEC_COUNTER],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    for (nth, event) in (1..).zip(EVENTS_OF_TRUE) {
        system.refuse(&exec, Act::Kill, nth, event)?;
    }
    Ok(())
}
