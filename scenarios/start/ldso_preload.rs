//! The ELF interpreter run by hand with a library to preload.
//!
//! It is `start/direct_ldso` and `start/ld_preload` at once, without a variable in the environment
//! that a policy could look for: the program is opened by the loader, without `execute`, and then
//! the library ahead of the others, all under the loader's exe.
//!
//! See ld.so(8), `--preload`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ld.so --preload by hand",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let loader = Exec::path("/lib64/ld-linux-x86-64.so.2")?.arg("--preload")?;
    system.observe(&loader.arg("libaudit.so.1")?.arg("/usr/bin/true")?)?;
    Ok(())
}
