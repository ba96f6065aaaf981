//! A program started by the path of a descriptor, `/proc/self/fd/5`.
//!
//! It looks like fexecve(3), which is made so where execveat(2) is missing; to the kernel it is a
//! path, and a magic link in it leads to the file (`nd_jump_link`). comm is the last part of that path, `5`, on every kernel: the
//! repair that `start/fexecve` tells of is for the empty path only.
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
