//! What an interpreter is told of a script that ends in a blank after the interpreter's name, without a newline: an empty
//! argument.
//!
//! `load_script` removes blanks from the end of the line. Where there is no newline it takes the end of its buffer for the end of
//! the line. In a file as short as this, zeros and no blanks stand ahead of that. So the blank after the name begins an argument,
//! which a zero ends at once. With a newline there is no argument. In a file of 255 bytes or more the blank can be cut.
//!
//! Finding: execve(2) speaks of `optional-arg` and not of an empty one.
//!
//! See `load_script` in fs/binfmt_script.c.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a script that ends in a blank gives its interpreter an empty argument",
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
