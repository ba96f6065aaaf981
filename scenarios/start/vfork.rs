//! A program started as by vfork(2) (clone(2) with `CLONE_VM | CLONE_VFORK`). The child borrows the memory of its
//! parent, whose calling thread stands still meanwhile.
//!
//! exe belongs to the memory (`mm->exe_file`), which both share. Past its point of no return the child has a memory
//! of its own (`exec_mmap` in fs/exec.c): the exe of the parent stays what it was (the fact).
//!
//! The trail is that of a forked child in all three ways (`start/vfork`, `start/posix_spawn`, `start/clone_vm`). They
//! are here because an observer that keeps its state by memory and not by process would confuse parent and child.

use nix::errno::Errno;

use crate::scenario::{Args, Exec, Scenario, System};
use crate::sys::{Released, Spawn};
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "program started by vfork",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let how = system.attempt(&Exec::by("vfork", "/usr/bin/cat", keeps_exe)?)?;
    let same = if how == How::Exit(0) {
        "as before"
    } else {
        "another"
    };
    system.fact(
        "the exe link of the parent after the child has run a program",
        same,
    )?;
    let exec = Exec::spawned("vfork", "/usr/bin/true", Spawn::Vfork)?;
    system.observe(&exec)?;
    Ok(())
}

/// Fails if the exe link of the caller is another one after its child has run a program.
fn keeps_exe(args: &Args<'_>) -> nix::Result<()> {
    let own = || std::fs::read_link("/proc/self/exe").map_err(|_| Errno::EIO);
    let before = own()?;
    match (args.vfork_with_pipes()?, own()? == before) {
        (Released::Runs, true) => Ok(()),
        (Released::Runs, false) => Err(Errno::EXDEV),
        _ => Err(Errno::EIO),
    }
}
