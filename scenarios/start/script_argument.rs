//! A script whose first line has an argument for the interpreter.
//!
//! The kernel passes what it has read of the line after the interpreter's name, to the first NUL, as one argument
//! without the blanks around it (`load_script` in fs/binfmt_script.c). Here that is `-e -u` in one piece. bash refuses
//! it, exits with an error and never opens the script. The kernel's part is that of `start/shebang`.
//! `identity/script_argument` shows what a program is told.
//!
//! See [c:execve-scripts].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script with an argument on its first line",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("argument.sh", "#!/usr/bin/bash -e -u\n:\n")?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
