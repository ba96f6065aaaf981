//! A library that is preloaded into every program by `/etc/ld.so.preload`.
//!
//! The loader opens the list before the cache, under the new exe; it does so for every program of
//! the system, and the open succeeds only where the file exists, so that its mere appearance in
//! trails is worth a look.
//!
//! See [c:ld-so-preload-file].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "library named in /etc/ld.so.preload",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.will_make("/etc/ld.so.preload")?;
    std::fs::write("/etc/ld.so.preload", "libaudit.so.1\n")?;
    system.observe(&Exec::path("/usr/bin/true")?)?;
    Ok(())
}
