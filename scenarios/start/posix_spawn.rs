//! A program started by posix_spawn(3), which in glibc since 2.24 is a clone with `CLONE_VM | CLONE_VFORK`, and an exec.
//!
//! exe belongs to the memory (`mm->exe_file`), which both share. Past its point of no return the child has a memory
//! of its own (`exec_mmap` in fs/exec.c): the exe of the parent stays what it was (`start/vfork`).
//!
//! The trail is that of a forked child in all three ways (`start/vfork`, `start/posix_spawn`, `start/clone_vm`). They
//! are here because an observer that keeps its state by memory and not by process would confuse parent and child.

use crate::scenario::{Exec, Scenario, System};
use crate::sys::Spawn;

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by posix_spawn",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::spawned("posix_spawn", "/usr/bin/true", Spawn::PosixSpawn)?;
    system.observe(&exec)?;
    Ok(())
}
