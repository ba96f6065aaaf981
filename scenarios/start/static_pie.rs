//! A static program that is position-independent.
//!
//! By its type (`ET_DYN`) it looks like a library, or like an ELF interpreter run by hand. The kernel goes by
//! `PT_INTERP` alone: there is none, so `load_elf_binary` (fs/binfmt_elf.c) opens no second file. The
//! trail is that of `start/static`. Both are here because the kernel takes another way to the load address, that of an
//! ELF interpreter run by hand.
//!
//! See elf(5), `ET_DYN`.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "static program that is position-independent, ET_DYN",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    // Without an interpreter, what is built here is static and position-independent.
    let program = system.file("static-pie", &Elf::new().read_only().build(), 0o755)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
