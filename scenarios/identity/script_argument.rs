//! What an interpreter is told when the first line of a script has more than the interpreter's name.
//!
//! Everything after the name on the line is one argument, blanks in the middle and all. Some other systems split it. The argument
//! ends at a zero byte, or at the latest with the first 255 bytes of the file. The kernel cuts the blanks ahead of it, and those
//! at its end where a newline follows (`identity/script_blank_at_end`: where none does).
//!
//! See [c:execve-scripts].

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "the rest of a script's first line is one argument",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    let script = system.script("script", &format!("#! {}  -a -b  \n", program.display()))?;
    system.observe(&Exec::path(script)?.arg("one")?.role(Role::Report)?)?;
    Ok(())
}
