//! An exec of a program for another machine: ENOEXEC, after both events.
//!
//! `load_elf_binary` looks at `e_machine` when the file is open (`elf_check_arch`). binfmt_misc could have taken the
//! file.
//!
//! See execve(2), ENOEXEC.

use crate::scenario::{Elf, Exec, Flaw, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program for another machine: ENOEXEC",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.file("s390", &Elf::new().flaw(Flaw::Machine).build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
