//! A program with more than 4096 bytes of program headers: 74 of them, of which 72 are unused.
//!
//! Finding: up to 6.16 `load_elf_phdrs` (fs/binfmt_elf.c) read no more than one page of them, and the exec failed with
//! ENOEXEC, after both events. Since [c:many-headers] the limit is 64 KiB and the program runs. Linkers make such files
//! where a script or an option (`--section-start`) asks for it. Tools that add a segment to a program can get there,
//! one at a time.
//!
//! See elf(5), `e_phnum`.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program with more than a page of program headers",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = |system: &mut System, name: &str, unused| {
        let program = Elf::new().read_only().unused_headers(unused).build();
        system.file(name, &program, 0o755)
    };
    let page = file(system, "a-page", 71)?;
    let how = system.attempt(&Exec::path(page)?)?;
    system.fact("73 headers, 4,088 bytes", how)?;
    let program = file(system, "many-headers", 72)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
