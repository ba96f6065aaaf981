//! A process that is killed by SIGKILL while it waits for the answer to its event.
//!
//! The wait is killable (`fanotify_get_response` waits with `wait_event_state(...,
//! TASK_KILLABLE|TASK_FREEZABLE)`; older kernels with `wait_event_killable`, since 5.1): the
//! process ends without an answer. The answer that comes later is taken all the same: write(2) of it
//! succeeds, because an event that was handed out stays in the group's list of accesses, cancelled,
//! until it is answered, and is freed by that (`fanotify_get_response`, `finish_permission_event`;
//! the monitor fails where a write does). So a program that a slow policy holds can still be killed,
//! and a listener does not learn of it from its answer.
//!
//! Every event of the start is the one that it waits for, in turn.

use crate::scenario::{EVENTS_OF_TRUE, Exec, Scenario, System, needs};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "a process that is killed while it waits for an answer",
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
