//! The system's limit of open files is found before the path is walked.
//!
//! `path_openat` (fs/namei.c) takes an empty file before it looks for one: a user who may open none
//! is told ENFILE also where there is no file. Name and number of processes come before it. So do the
//! arguments where they are copied before the open, up to 6.7 ([c:open-first]).

use crate::scenario::{Obstacle, Scenario, System, comes_first, meet, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: open files",
    needs: &[needs::OWN_SETTINGS, needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let files = Obstacle::Files;
    let mut claim = comes_first(system, "order/files", files, |_| true)?;
    for first in [Obstacle::Processes, Obstacle::Filename] {
        meet(system, &mut claim, first, files)?;
    }
    system.verdict(&claim)
}
