//! A program with more than 4096 bytes of program headers: 74 of them, of which 72 say nothing.
//!
//! Finding: up to 6.16 `load_elf_phdrs` (fs/binfmt_elf.c) read no more than one page of them and the
//! file was ENOEXEC, after both events. Since [c:many-headers] the limit is 64 KiB and the program
//! runs. Linkers make such files where a script or their options (`--section-start`) ask for it; tools that add a segment to
//! a program can, one at a time.
//!
//! See elf(5), `e_phnum`.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program with more than a page of program headers",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().read_only().unused_headers(72).build();
    let program = system.file("many-headers", &program, 0o755)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
