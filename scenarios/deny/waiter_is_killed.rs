//! A process that is killed by SIGKILL while it waits for the answer to its event.
//!
//! The wait is killable (`fanotify_get_response` waits with `wait_event_state(...,
//! TASK_KILLABLE|TASK_FREEZABLE)`; older kernels with `wait_event_killable`, since 5.1): the
//! process ends without an answer, and the answer that comes later finds nobody (ENOENT). So a
//! program that a slow policy holds can still be killed.
//!
//! Every event of the start is the one that it waits for, in turn.

use crate::scenario::{EVENTS_OF_TRUE, Exec, Scenario, Stage};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "a process that is killed while it waits for an answer",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    for (nth, event) in (1..).zip(EVENTS_OF_TRUE) {
        stage.refuse(&exec, Act::Kill, nth, event)?;
    }
    Ok(())
}
