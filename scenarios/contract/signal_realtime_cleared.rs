//! Exec does not discard queued realtime signals, except those of POSIX timers and of other threads: the new program gets all
//! others, in their order and with their values.
//!
//! They wait in the same queues as other signals (`sigpending.list`), which nothing in fs/exec.c empties.
//! `contract/signal_pending_cleared` says what goes all the same: above all what POSIX timers queued
//! (`contract/signal_timer_signals_cleared`).
//!
//! The second trigger is a queue for the thread alone.
//!
//! See [c:signal-real-time], and `begin_new_exec` in fs/exec.c.

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "queued realtime signals stay, but for those of POSIX timers, other threads",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("signal/realtime_cleared");
    let exec = Exec::path(system.ours("reporter")?)?.reports(&["queue"])?;
    let seen = system.look("none queued", &exec)?;
    claim.control("none queued", "none", seen.found("queue")?)?;
    let process = exec.clone().before(|| {
        for number in [36, 35] {
            sys::block(number)?;
        }
        for (number, value) in [(36, 1), (35, 2), (35, 3)] {
            sys::queue(number, value)?;
        }
        Ok(())
    });
    let seen = system.look("three queued for the process", &process)?;
    claim.stated("three queued for the process", "none", seen.found("queue")?);
    let thread = exec.before(|| {
        sys::block(40)?;
        sys::send_to_thread(40)?;
        Ok(sys::send_to_thread(40)?)
    });
    let seen = system.look("two queued for the thread", &thread)?;
    claim.stated("two queued for the thread", "none", seen.found("queue")?);
    system.verdict(&claim)
}
