//! A static program: the kernel opens it and nothing else.
//!
//! There is no `PT_INTERP`, so `load_elf_binary` (fs/binfmt_elf.c) opens no second file, and busybox as `true` opens
//! none by itself. The two events of the program itself are the whole trail, both under the exe of the caller. No open
//! comes under the new exe: a policy that decides about a process at its first open after the point of no return never
//! hears of this one.
//!
//! See elf(5), `PT_INTERP`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "static program, ET_EXEC",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let busybox = Exec::path("/usr/bin/busybox")?.argv(&["busybox", "true"])?;
    system.observe(&busybox)?;
    Ok(())
}
