//! A program starts another one with an empty environment: `env -i true`.
//!
//! Whatever was to be inherited in a variable ends here, `LD_PRELOAD` included, unless a library that `env` itself was
//! given puts it back when `env` calls exec. exec copies the environment as bytes; the trail is that of two execs in
//! one process.
//!
//! See env(1), `-i`; execve(2).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "env -i that executes true",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let env = Exec::path("/usr/bin/env")?
        .arg("-i")?
        .arg("/usr/bin/true")?;
    system.observe(&env)?;
    Ok(())
}
