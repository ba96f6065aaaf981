//! A library that the loader is asked to load for auditing.
//!
//! Of what the loader opens, only its cache comes before this library. The loader loads the library into a namespace of
//! its own, with libraries of its own: the loader itself is opened once more, now with `open` alone, and cache and libc
//! are opened twice.
//!
//! This one is no audit library (it has no `la_version`), so that the loader drops it again; by then it was opened and
//! mapped.
//!
//! See rtld-audit(7).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "library named in LD_AUDIT",
    unpredicted: Some("auditing libraries are loaded apart"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.observe(&Exec::path("/usr/bin/true")?.env("LD_AUDIT", "libaudit.so.1")?)?;
    Ok(())
}
