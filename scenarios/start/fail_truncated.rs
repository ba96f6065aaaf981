//! An exec of a program whose segments lie after its end.
//!
//! The headers are whole, and the kernel does not ask whether the file holds what they promise: the
//! point of no return is passed and the process dies of a signal, under the new exe.
//!
//! See elf(5).

use crate::scenario::{Elf, Exec, Flaw, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a program that ends after its headers",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let file = stage.file("cut", &Elf::new().flaw(Flaw::Truncated).build(), 0o755)?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
