//! An exec of a program that wants to lie beyond user space.
//!
//! The address is looked at when the old program is gone already: the caller cannot be told any
//! more and the call ends the process by SIGSEGV (`bprm_execve`: "If past the point of no return
//! ensure the code never returns to the userspace process"). A policy that saw the two events of a program has seen a start that never ran
//! one instruction.
//!
//! See execve(2), which says in its notes of such failures that "the kernel kills the process with a
//! SIGSEGV".

use crate::scenario::{Elf, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program with an address beyond user space",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
