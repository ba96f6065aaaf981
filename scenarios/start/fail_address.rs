//! An exec of a program that wants to lie beyond user space.
//!
//! The address is looked at when the old program is gone already: the caller cannot be told any more
//! and the call ends the process by SIGSEGV (`bprm_execve`; [c:never-returns]). A policy that saw the
//! two events of a program has seen a start that never ran one instruction.
//!
//! See [c:execve-kills].

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
