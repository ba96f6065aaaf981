//! A script without a `#!` line, run by a shell.
//!
//! The kernel knows no such format: it opens the file and returns ENOEXEC. bash falls back to reading the file itself,
//! in the child that it forked for it. That child never passes a point of no return: the script runs under bash's exe
//! and comm. bash's further opens of it (bash looks at the file first and then reads it) have no `execute` beside them.
//! The script's only `execute` is that of the failed attempt.
//!
//! See [c:bash-assumed-script].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script without #!, run by the shell's fallback",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.script("plain", ":\n")?;
    system.observe(
        &Exec::path("/usr/bin/bash")?
            .arg("-c")?
            .arg("/tmp/plain; :")?,
    )?;
    Ok(())
}
