//! What a refusal does to a preloaded library.
//!
//! The loader passes over a preloaded library that it may not open and starts the program without
//! it: refusing is harmless to the program. What the library itself needs, and all others, end the
//! program.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See ld.so(8), "LD_PRELOAD".

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program with a preloaded library refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.refuse_each(&Exec::path("/usr/bin/true")?.env("LD_PRELOAD", "libaudit.so.1")?)?;
    Ok(())
}
