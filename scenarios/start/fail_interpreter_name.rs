//! An exec of a program whose `PT_INTERP` does not end with a NUL: ENOEXEC.
//!
//! The name is read after the program was opened; nothing is opened by it (`load_elf_binary` looks at
//! the last byte that `p_filesz` counts).

use crate::scenario::{Elf, Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program whose interpreter's name has no end",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = Elf::new().interpreter_bytes(b"/usr/bin/true");
    let file = stage.file("endless", &program.build(), 0o755)?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
