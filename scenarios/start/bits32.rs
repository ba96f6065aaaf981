//! A 32-bit program on a 64-bit kernel.
//!
//! The kernel opens the program as any other. The kernel's ELF code, compiled a second time (fs/compat_binfmt_elf.c),
//! then opens the interpreter that the program names, `/lib/ld-linux.so.2`. The order is that of a 64-bit program; the
//! loader then opens the 32-bit libc. A policy that lists the 64-bit loader alone misses this one.
//!
//! See elf(5), `ELFCLASS32`; ld.so(8).

use crate::scenario::{Elf, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "32-bit program with its own loader",
    needs: &[needs::BITS_32],
    parts: &["i386"],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new_32()
        .interpreter("/lib/ld-linux.so.2")
        .needs("libc.so.6");
    let program = system.file("bits32", &program.build(), 0o755)?;
    system.observe(&Exec::path(program)?)?;
    Ok(())
}
