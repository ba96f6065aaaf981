//! The walk to the file comes before what is wrong with the file, and from 6.8 on before what is wrong with the arguments.
//!
//! Since [c:open-first] `alloc_bprm` (fs/exec.c) opens the file first: a shell that tries the
//! directories of PATH need not have its arguments copied for each. Before, arguments were counted and
//! copied first, and a bad pointer or too much of them was told even for a file that is not there.

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
