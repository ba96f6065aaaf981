//! A script that is nothing but `#!`: EACCES.
//!
//! It is a script, by its first two bytes. After them the buffer is full of zeros, and the first of
//! them is where the interpreter's name begins and ends: the name is empty (`load_script`;
//! `next_non_spacetab` does not take NUL for a blank). `open_exec` walks no step from the working
//! directory, and a directory cannot be executed. It is the same with blanks after it. With a newline, or with 253 blanks
//! and more (256 bytes are read), it is no script and ends with ENOEXEC.
//!
//! Finding: execve(2) does not tell of an empty name.
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
