//! Faults on the walk to the file come before faults of the file, and from 6.8 on before faults of the arguments.
//!
//! Since [c:open-first] `alloc_bprm` (fs/exec.c) opens the file first: a shell that tries the directories of PATH need not have
//! its arguments copied for each. Before, the kernel counted and copied the arguments first, and reported a bad pointer or
//! oversized arguments even for a file that is not there.

use crate::scenario::{Obstacle, Scenario, System, come_first, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: the walk to the file",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let claims = [
        ("order/search", Obstacle::Search),
        ("order/missing", Obstacle::Missing),
        ("order/prefix", Obstacle::Prefix),
        ("order/loop", Obstacle::Loop),
    ];
    come_first(system, &claims, Obstacle::pairs)
}
