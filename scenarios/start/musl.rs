//! A program whose ELF interpreter is that of musl.
//!
//! The kernel's part is that of every dynamically linked program. The loader's part is shorter:
//! musl's libc is the loader itself, so that for a program that needs nothing else, with nothing preloaded, neither a cache nor
//! a library is opened, and, as this one opens nothing itself, nothing at all is seen under the new exe.
//!
//! See elf(5), `PT_INTERP`; musl's `ldso/dynlink.c`, `load_library`.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program with the loader of musl",
    parts: &["musl"],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new()
        .interpreter("/lib/ld-musl-x86_64.so.1")
        .needs("libc.so");
    let program = system.file("musl", &program.build(), 0o755)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
