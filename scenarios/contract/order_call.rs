//! Two things that are found before any file is looked for, on every kernel: the name cannot be read, the user has
//! too many processes. (On 5.10 and 6.1 pointers and sizes of the arguments are as well: `contract/order_path`.)
//!
//! The name is read in the system call's entry (`getname`), then the limit of processes is looked
//! at (`do_execveat_common` in fs/exec.c). Nothing is opened. (Bad arguments that stand alone are told when the file is open, from 6.8 on:
//! `contract/order_arguments`.)
//!
//! Finding: up to 6.19 a name that could not be read ended the call at once. Since
//! [c:alloc-bprm-callers] only the open looks whether there is a name (`do_file_open`, below `do_open_execat`), after the limit of
//! processes: a user with too many processes is told EAGAIN and not EFAULT.

use crate::scenario::{Obstacle, Scenario, System, come_first, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: filename, processes",
    needs: &[needs::TMPFS_XATTR],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let claims = [
        ("order/processes", Obstacle::Processes),
        ("order/filename", Obstacle::Filename),
    ];
    // Another scenario has the system's limit, which not every lab can set.
    come_first(system, &claims, |first| {
        let pairs = first.pairs().into_iter();
        pairs
            .filter(|(_, other)| *other != Obstacle::Files)
            .collect()
    })
}
