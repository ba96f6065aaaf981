//! A listener denies (`FAN_DENY`) each event of a static program that opens nothing, in turn, one case per event. The first
//! case denies nothing.
//!
//! Both events come before the point of no return, and there is none after it. After these two a policy on opens has no
//! further say (one on reads has: `policy/reads`).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a static program",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::path("/usr/bin/busybox")?.argv(&["busybox", "true"])?)?;
    Ok(())
}
