//! A script whose first line has an argument for the interpreter.
//!
//! What the kernel has read of the line after the interpreter's name, to the first NUL, is passed as one argument, without the
//! blanks around it (`load_script` in fs/binfmt_script.c), here `-e -u` in one piece, which bash refuses: it exits with
//! an error and never opens the script. The kernel's part is that of `start/shebang`; what a program is told shows in
//! `identity/script_argument`.
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
