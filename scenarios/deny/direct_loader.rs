//! A listener denies (`FAN_DENY`) each event of an ELF interpreter that is run by hand, in turn, one case per event. The
//! first case denies nothing.
//!
//! The program has no `execute` event to deny. Where the listener denies its `open`, the loader exits with a status of its
//! own; the caller's execve has long succeeded.
//!
//! See `start/direct_ldso`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a program that the loader runs",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::path("/lib64/ld-linux-x86-64.so.2")?.arg("/usr/bin/true")?)?;
    Ok(())
}
