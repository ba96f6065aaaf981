//! An exec of a program whose ELF interpreter is a script.
//!
//! The kernel opens the script as it would any interpreter, `execute` and `open`, and only then finds that it is not an
//! ELF file: an ELF interpreter cannot be a script. The caller has not passed the point of no return.
//!
//! execve(2) says ELIBBAD.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program whose ELF interpreter is a script: ELIBBAD",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.script(
        "loader.sh",
        "#!/usr/bin/true\n# long enough for a header of an ELF file: 64 bytes at least\n",
    )?;
    let program = Elf::new().interpreter("/tmp/loader.sh");
    let file = system.file("odd", &program.build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
