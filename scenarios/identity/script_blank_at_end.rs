//! What an interpreter is told of a script that ends in a blank after the interpreter's name, without a
//! newline: an empty argument. (Of fewer than 255 bytes; else the blank can be cut.)
//!
//! `load_script` takes blanks from the end of the line, but where there is no newline it takes the
//! end of its buffer for the end of the line, and ahead of that are, in a file as short as this, zeros and no blanks. The
//! blank after the name then begins an argument, which a zero ends at once. With a newline there
//! is no argument.
//!
//! Finding: execve(2) speaks of `optional-arg` and not of one that is empty.
//!
//! See `load_script` in fs/binfmt_script.c.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told of a script that ends in a blank",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    for (heading, end) in [("without a newline", ""), ("with a newline", "\n")] {
        let script = system.script("script", &format!("#!{} {end}", program.display()))?;
        system.case(heading, &Exec::path(script)?.role(Role::Report)?)?;
    }
    Ok(())
}
