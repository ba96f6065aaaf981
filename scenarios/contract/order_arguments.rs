//! Arguments and variables come before the format: the kernel counts the arrays, then copies the strings, those of envp before
//! those of argv.
//!
//! `do_execveat_common` (fs/exec.c) calls `count` for argv, `count` for envp, and `copy_strings` for envp and then for argv. The
//! exec itself reads the file's first bytes only after that, in `exec_binprm`.
//!
//! Finding: from 6.8 on the kernel opens the file, and asks the listeners about it, before it looks at the arguments, as in
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
