//! A preloaded library: `LD_PRELOAD=libaudit.so.1 ls`.
//!
//! To the kernel this is the everyday case. The ELF interpreter finds the preloaded library through `/etc/ld.so.cache`
//! and opens it before those that the program names itself. It opens all of them, and what the preloaded one needs,
//! under the new exe. Nothing in an event tells a preloaded library from another one; its place in the order may, or
//! the environment.
//!
//! See [c:ld-preload].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ls with LD_PRELOAD=libaudit.so.1",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let ls = Exec::path("/usr/bin/ls")?.env("LD_PRELOAD", "libaudit.so.1")?;
    system.observe(&ls)?;
    Ok(())
}
