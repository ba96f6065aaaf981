//! A library that glibc's loader preloads because `/etc/ld.so.preload` names it.
//!
//! The loader opens the list under the new exe, here before the cache. It calls access(2) first (`dl_main` in
//! elf/rtld.c): where there is no such file, or none that the real user may read, it opens none. Its mere appearance in
//! trails is therefore worth a look.
//!
//! See [c:ld-so-preload-file].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "library preloaded because /etc/ld.so.preload names it",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.will_make("/etc/ld.so.preload")?;
    std::fs::write("/etc/ld.so.preload", "libaudit.so.1\n")?;
    system.observe(&Exec::path("/usr/bin/true")?)?;
    Ok(())
}
