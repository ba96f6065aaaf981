//! A script that is nothing but `#!`: EACCES.
//!
//! Its first two bytes make it a script. After them the buffer is full of zeros, and the interpreter's name begins and
//! ends at the first of them: the name is empty (`load_script`; `next_non_spacetab` does not take NUL for a blank).
//! `open_exec` of that name ends at the working directory itself, and a directory cannot be executed.
//!
//! Blanks after the two bytes change nothing. With a newline, or with 253 blanks and more (256 bytes are read), the
//! file is no script and the exec ends with ENOEXEC.
//!
//! Finding: execve(2) does not mention an empty name.
//!
//! See `load_script` in fs/binfmt_script.c; `may_open` in fs/namei.c.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a script whose interpreter has an empty name",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("empty.sh", "#!")?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
