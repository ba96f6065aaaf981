//! The kernel checks the system's limit of open files before it walks the path.
//!
//! `path_openat` (fs/namei.c) allocates an empty file before it looks for one: a user who may open none gets ENFILE even where
//! there is no file. Name and number of processes come before it. So do the arguments where the kernel copies them before the
//! open, up to 6.7 ([c:open-first]).

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
