//! A program whose ELF interpreter is musl's.
//!
//! The kernel's part is that of every dynamically linked program. The loader's part is shorter, because musl's libc is
//! the loader itself. For a program that needs nothing else, with nothing preloaded, it opens neither a cache nor a
//! library. This one opens nothing itself either, so the trail shows nothing at all under the new exe.
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
