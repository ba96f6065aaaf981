//! What is found before any file is looked for: the name cannot be read, the user has too many
//! processes.
//!
//! `getname` comes first, in the system call's entry; then the limit of processes
//! (`do_execveat_common` in fs/exec.c). Nothing is opened.

use crate::scenario::{Obstacle, Scenario, Stage, comes_first};

pub const SCENARIO: Scenario = Scenario {
    summary: "order of checks: filename, processes",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    for (id, first) in [
        ("order/processes", Obstacle::Processes),
        ("order/filename", Obstacle::Filename),
    ] {
        let claim = comes_first(stage, id, first, |other| other != Obstacle::Files)?;
        stage.verdict(&claim)?;
    }
    Ok(())
}
