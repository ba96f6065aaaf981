//! SIGKILL that arrives while the start is set up makes the call fail, and the process ends by it.
//!
//! The monitor holds the opening of the program, and the process is killed meanwhile. The wait
//! ends, nothing more is opened (`bprm_execve` never comes to its binary handlers), and the process
//! is gone without a return to the caller. Behind the point of no return it is the same signal and
//! not SIGSEGV: `bprm_execve` asks `fatal_signal_pending` before it forces one.
//!
//! The other side: a signal that is blocked is not fatal yet. SIGTERM that is pending and blocked
//! lets the call succeed.
//!
//! See `fatal_signal_pending` in include/linux/sched/signal.h, `count` and `bprm_execve` in
//! fs/exec.c.

use nix::libc;

use crate::scenario::{Claim, EVENTS_OF_TRUE, Exec, Scenario, Stage};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a fatal signal that is pending makes the call fail",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let mut claim = Claim::new("signal/fatal_pending");
    let exec = Exec::path("/usr/bin/true")?;
    for (nth, event) in (1..).zip(EVENTS_OF_TRUE).take(4) {
        let seen = stage.killed(&exec, nth, event)?;
        let what = format!("SIGKILL at the {event}");
        claim.stated(&what, "signal SIGKILL", &seen.how);
        claim.stated(&format!("{what}: events"), nth, seen.events.len());
    }
    let blocked = exec.before(|| {
        sys::block(libc::SIGTERM)?;
        Ok(sys::send_to_thread(libc::SIGTERM)?)
    });
    let seen = stage.look("SIGTERM pending and blocked", &blocked)?;
    claim.control("SIGTERM pending and blocked", "exit 0", &seen.how)?;
    stage.verdict(&claim)
}
