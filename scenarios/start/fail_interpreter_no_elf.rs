//! An exec of a program whose ELF interpreter is a script.
//!
//! The kernel opens it as it would any interpreter, `execute` and `open`, and only then finds that
//! it is not an ELF file: an ELF interpreter cannot be a script. The caller is still itself.
//!
//! execve(2) says ELIBBAD.

use crate::scenario::{Elf, Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program whose ELF interpreter is a script",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.script(
        "loader.sh",
        "#!/usr/bin/true\n# long enough for a header of an ELF file: 64 bytes at least\n",
    )?;
    let program = Elf::new().interpreter("/tmp/loader.sh");
    let file = stage.file("odd", &program.build(), 0o755)?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
