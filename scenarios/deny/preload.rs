//! What a refusal does to a preloaded library.
//!
//! The loader passes over a preloaded library that it may not open, and starts the program without it where that does not
//! need it either, as here. What the library itself needs ends the program, as libc does: 127.
//!
//! Each event of the start is the first at which its file is refused, in turn, and it stays refused
//! (see `deny/files`); the first case refuses nothing.
//!
//! See [c:ld-preload].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program with a preloaded library refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each_file(&Exec::path("/usr/bin/true")?.env("LD_PRELOAD", "libaudit.so.1")?)?;
    Ok(())
}
