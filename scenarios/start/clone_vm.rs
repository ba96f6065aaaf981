//! A program started by clone(2) with `CLONE_VM` alone: parent and child run in the same memory, and the child executes
//! a program.
//!
//! exe belongs to the memory (`mm->exe_file`), which both share. Past its point of no return the child has a memory of
//! its own (`exec_mmap` in fs/exec.c): the exe of the parent stays what it was (`start/vfork`).
//!
//! The trail is that of a forked child in all three ways (`start/vfork`, `start/posix_spawn`, `start/clone_vm`). They
//! are here because an observer that keeps its state by memory and not by process would confuse parent and child.

use crate::scenario::{Exec, Scenario, System};
use crate::sys::Spawn;

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by clone with CLONE_VM",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::spawned("clone_vm", "/usr/bin/true", Spawn::SharedMemory)?;
    system.observe(&exec)?;
    Ok(())
}
