//! An exec of a program whose `PT_INTERP` does not end with a NUL: ENOEXEC.
//!
//! The kernel reads the name after it has opened the program, and opens nothing by it (`load_elf_binary` looks at the
//! last byte that `p_filesz` counts).

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program whose interpreter's name has no end: ENOEXEC",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().interpreter_bytes(b"/usr/bin/true");
    let file = system.file("endless", &program.build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
