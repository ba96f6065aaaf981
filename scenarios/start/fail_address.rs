//! An exec of a program that wants to lie beyond user space.
//!
//! The kernel looks at the address when the old program is gone already: it can no longer tell the caller, and the call
//! ends the process by SIGSEGV (`bprm_execve`; [c:never-returns]). A policy that saw the two events of a program has
//! seen a start that never ran one instruction.
//!
//! See [c:execve-kills].

use crate::scenario::{Elf, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program with an address beyond user space: SIGSEGV",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
