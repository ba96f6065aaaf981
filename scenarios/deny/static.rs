//! What a refusal does to a static program that opens nothing: both events are before the point of no return, and
//! there is none after it. After these two a policy of opens has no further say (one of reads has: `policy/reads`).
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a static program refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::path("/usr/bin/busybox")?.argv(&["busybox", "true"])?)?;
    Ok(())
}
