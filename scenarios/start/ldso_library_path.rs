//! The ELF interpreter is run by hand, with a library path of its own.
//!
//! The loader looks there first (after a `DT_RPATH`, but `true` has none), finds a libc other than the system's and
//! does not ask `/etc/ld.so.cache`: the program runs with a library that no cache and no package list knows.
//!
//! See ld.so(8), `--library-path`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ld.so run by hand with --library-path",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/lib/x86_64-linux-gnu/libc.so.6", "lib/libc.so.6")?;
    let loader = Exec::path("/lib64/ld-linux-x86-64.so.2")?.arg("--library-path")?;
    system.observe(&loader.arg("/tmp/lib")?.arg("/usr/bin/true")?)?;
    Ok(())
}
