//! A listener denies (`FAN_DENY`) each event of a program whose loader is its libc, and which needs and opens nothing else,
//! in turn, one case per event. The first case denies nothing.
//!
//! Every event comes before the point of no return.

use crate::scenario::{Elf, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a program with musl's loader",
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
