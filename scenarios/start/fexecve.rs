//! A program started by descriptor: fexecve(3), which is execveat(2) with an empty path (since glibc 2.27).
//!
//! The caller's own open of the file comes first, an `open` without `execute`. The exec itself then has both events as
//! for any program, because `do_open_execat` opens the file anew from the descriptor's path.
//!
//! Finding: comm differs. A kernel without [c:comm-by-descriptor] (backported to 6.1.129 and 6.12.14, not to 5.10)
//! names the process after the descriptor, here `3`: `alloc_bprm` makes up the path `/dev/fd/3`, whose last part
//! becomes comm. A kernel with it names the process `ls`, after the file. exe is the same on all.
//!
//! See execveat(2), `AT_EMPTY_PATH`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ls started by descriptor",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.observe(&Exec::descriptor("/usr/bin/ls")?)?;
    Ok(())
}
