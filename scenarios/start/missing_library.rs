//! A program that needs a library that is not there.
//!
//! To the kernel the program has started: the loader runs under the new exe, does not find the library and exits with
//! 127. The caller learns of it from an exit status, not from an errno.
//!
//! See ld.so(8).

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program that needs a library that is not there",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new()
        .interpreter("/lib64/ld-linux-x86-64.so.2")
        .needs("libnone.so.1");
    let program = system.file("lonely", &program.build(), 0o755)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
