//! A program started by the path of a descriptor, `/proc/self/fd/5`.
//!
//! It looks like fexecve(3), which works this way where execveat(2) is missing. To the kernel it is a path, and a magic
//! link in it leads to the file (`nd_jump_link`). comm is the last component of that path, `5`, on every kernel: the
//! fix that `start/fexecve` tells of is only for the empty path.
//!
//! See proc_pid_fd(5).

use nix::fcntl::OFlag;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started through /proc/self/fd",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/proc/self/fd/5")?;
    system.observe(&exec.opened(5, "/usr/bin/true", OFlag::O_PATH | OFlag::O_CLOEXEC))?;
    Ok(())
}
