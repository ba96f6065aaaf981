//! A program that itself names the directory of its libraries (`DT_RUNPATH`).
//!
//! The loader looks there before it opens the cache: an ordinary program, with no loader variable in its environment,
//! runs with a library from `/tmp`.
//!
//! See [c:ld-so-runpath].

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program that names the directory of its libraries",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/lib/x86_64-linux-gnu/libc.so.6", "lib/libc.so.6")?;
    let program = Elf::new()
        .interpreter("/lib64/ld-linux-x86-64.so.2")
        .needs("libc.so.6")
        .runpath("/tmp/lib");
    let program = system.file("runpath", &program.build(), 0o755)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
