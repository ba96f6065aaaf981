//! An exec of a program whose ELF interpreter is not there: ENOENT.
//!
//! The kernel has opened the program itself; the caller is told ENOENT about a file that is there.
//!
//! See [c:execve-enoent].

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program whose ELF interpreter is not there: ENOENT",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().interpreter("/lib/ld-none.so.1");
    let file = system.file("orphan", &program.build(), 0o755)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
