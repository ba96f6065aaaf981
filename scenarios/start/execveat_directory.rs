//! A program executed by a path relative to a directory descriptor.
//!
//! Opening the directory is no step: a mark tells of that only with `FAN_ONDIR`, which ours does not have. The exec is
//! then an everyday one: `do_open_execat` (fs/exec.c) resolves the name below the descriptor, and permission events
//! show the whole path.
//!
//! See execveat(2); `identity/execveat_directory` for what the program is told.

use nix::fcntl::OFlag;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "execveat with a directory descriptor",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::at("execveat", "fd 5 true", 5, c"true", 0)?;
    system.observe(&exec.opened(5, "/usr/bin", OFlag::O_RDONLY | OFlag::O_CLOEXEC))?;
    Ok(())
}
