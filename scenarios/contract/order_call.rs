//! On every kernel, two faults are among those for which the exec fails before it looks for any file: the name cannot be read, or
//! the user has too many processes. (Another is the system's limit of open files: `contract/order_files`.)
//!
//! The entry of the system call reads the name (`getname`), then `do_execveat_common` (fs/exec.c) looks at the limit of
//! processes. Nothing is opened. On 5.10 and 6.1, faulty pointers and sizes of the arguments come before any file as well:
//! `contract/order_path`. From 6.8 on, the file is open when the kernel reports faulty arguments that stand alone:
//! `contract/order_arguments`.
//!
//! Finding: up to 6.19 a name that could not be read ended the call at once. Since [c:alloc-bprm-callers] only the open looks
//! whether there is a name (`do_file_open`, below `do_open_execat`), after the limit of processes: a user with too many processes
//! gets EAGAIN and not EFAULT.

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
    // The system's limit of open files, which not every lab can set, is in `contract/order_files`.
    come_first(system, &claims, |first| {
        let pairs = first.pairs().into_iter();
        pairs
            .filter(|(_, other)| *other != Obstacle::Files)
            .collect()
    })
}
