//! Arguments and variables come before the format: arrays are counted, then strings are copied,
//! those of envp before those of argv.
//!
//! `do_execveat_common` (fs/exec.c): `count` of argv, `count` of envp, `copy_strings` of envp and then of
//! argv; the exec itself reads the file's first bytes only in `exec_binprm` after that.
//!
//! Finding: from 6.8 on the file is opened, and asked for, before that, as in
//! `start/fail_too_long`.

use crate::scenario::{Obstacle, Scenario, System, come_first, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: arguments and variables",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let claims = [
        ("order/argv", Obstacle::Argv),
        ("order/envp", Obstacle::Envp),
        ("order/long_variable", Obstacle::LongVariable),
        ("order/long_argument", Obstacle::LongArgument),
    ];
    come_first(system, &claims, Obstacle::pairs)
}
