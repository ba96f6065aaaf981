//! An exec of a program that wants to lie beyond user space.
//!
//! The address is looked at when the old program is gone already: the caller cannot be told any more
//! and the call ends the process by SIGSEGV (`bprm_execve`; [c:never-returns]). A policy that saw the
//! two events of a program has seen a start that never ran one instruction.
//!
//! See [c:execve-kills].

use crate::scenario::{Elf, Exec, Flaw, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program with an address beyond user space",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let file = stage.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
