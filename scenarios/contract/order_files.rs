//! The system's limit of open files is found before the path is walked.
//!
//! `path_openat` (fs/namei.c) takes an empty file before it looks for one: a user who may open none
//! is told ENFILE also where there is no file. Name and number of processes come before it. So do the
//! arguments where they are copied before the open, up to 6.7 ([c:open-first]).

use crate::scenario::{Obstacle, Scenario, System, come_first, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: open files",
    needs: &[needs::OWN_SETTINGS, needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let claims = [("order/files", Obstacle::Files)];
    come_first(system, &claims, |files| {
        let before = [Obstacle::Processes, Obstacle::Filename].map(|first| (first, files));
        [files.pairs(), before.to_vec()].concat()
    })
}
