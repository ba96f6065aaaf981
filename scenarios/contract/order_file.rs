//! What is wrong with the file itself: not executable comes before open for writing, both before the format.
//!
//! `may_open` (fs/namei.c) asks for the permission before the file is opened (after it where a file system opens a file that it looks up anew,
//! `atomic_open`), `do_open_execat` denies writing when it is. For arguments the same as in `contract/order_path`: they come first up
//! to 6.7.

use crate::scenario::{Obstacle, Scenario, System, come_first, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: the file",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let claims = [
        ("order/mode", Obstacle::Mode),
        ("order/writer", Obstacle::Writer),
    ];
    come_first(system, &claims, Obstacle::pairs)
}
