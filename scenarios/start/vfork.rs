//! A program started as by vfork(2) (clone(2) with `CLONE_VM | CLONE_VFORK`): the child borrows the memory of its
//! parent, whose calling thread stands still meanwhile.
//!
//! exe belongs to the memory (`mm->exe_file`), which both share. At the child's point of no return
//! it gets a memory of its own (`exec_mmap` in fs/exec.c): the exe of the parent stays what it was.
//! The trail is that of a forked child in all three ways (`start/vfork`, `start/posix_spawn`,
//! `start/clone_vm`); they are here because an observer that keeps its state by memory and not by
//! process would confuse the two.

use crate::scenario::{Exec, Scenario, System};
use crate::sys::Spawn;

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by vfork",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::spawned("vfork", "/usr/bin/true", Spawn::Vfork)?;
    system.observe(&exec)?;
    Ok(())
}
