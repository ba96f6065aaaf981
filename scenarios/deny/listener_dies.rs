//! A listener that dies while it holds an event.
//!
//! The kernel allows every event that waits when the group's last descriptor is closed
//! (`fanotify_release` answers with `FAN_ALLOW`): the program starts, and nobody watches any more.
//! A policy whose daemon alone holds the descriptor is open, not closed, while that is being restarted.
//!
//! Every event of the start is the one that it dies at, in turn.
//!
//! See [c:fanotify-close-allows].

use crate::scenario::{EVENTS_OF_TRUE, Exec, Scenario, System};
use crate::wire::Act;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener that dies while it holds an event",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?;
    for (nth, event) in (1..).zip(EVENTS_OF_TRUE) {
        system.refuse(&exec, Act::Die, nth, event)?;
    }
    Ok(())
}
