//! A program whose code is mapped writable. It is first opened for reading, and then executed twice.
//!
//! The stages depend on that: the kernel puts no uprobe into code that is mapped writable (`valid_vma` in
//! kernel/events/uprobes.c), so they do not see its first instruction. Each start has to say so, or it reads as one
//! that never came to its first instruction.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program with writable code, opened for reading and then executed twice",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.file("writable", &Elf::new().build(), 0o755)?;
    let program = program.display();
    let command = format!("exec 3<{program}; {program}; {program}");
    system.observe(&Exec::path("/usr/bin/bash")?.arg("-c")?.arg(&command)?)?;
    Ok(())
}
