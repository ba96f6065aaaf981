//! What a refusal does to a program whose loader is its libc, and which needs and opens nothing else: every event is before the point
//! of no return.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program with musl's loader refused",
    deadline: std::time::Duration::from_secs(60),
    parts: &["musl"],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new()
        .interpreter("/lib/ld-musl-x86_64.so.1")
        .needs("libc.so");
    let program = system.file("musl", &program.build(), 0o755)?;
    system.refuse_each(&Exec::path(program)?)?;
    Ok(())
}
