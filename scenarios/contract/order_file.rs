//! Of the faults of the file itself, a missing execute permission comes before a writer, and both come before the format.
//!
//! `may_open` (fs/namei.c) checks the execute permission before the file is opened, and `do_open_execat` denies writing once it
//! is open. Faulty arguments are as in `contract/order_path`: they come first up to 6.7. Where a file system opens a file that it
//! looks up anew (`atomic_open`), `may_open` comes after the open.

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
