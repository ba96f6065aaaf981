//! The ELF interpreter is run by hand, with a library to preload.
//!
//! This is `start/direct_ldso` and `start/ld_preload` at once, without a variable in the environment that a policy
//! could look for. The loader opens the program, without `execute`, and then the library, ahead of the others, all
//! under its own exe.
//!
//! See ld.so(8), `--preload`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "ld.so run by hand with --preload",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let loader = Exec::path("/lib64/ld-linux-x86-64.so.2")?.arg("--preload")?;
    system.observe(&loader.arg("libaudit.so.1")?.arg("/usr/bin/true")?)?;
    Ok(())
}
