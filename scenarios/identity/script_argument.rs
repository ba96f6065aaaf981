//! What an interpreter is told when the first line of a script has more than its name.
//!
//! Everything on the line after the name, up to a zero byte and as far as it lies in the first 255 bytes of the file, is one argument,
//! blanks in the middle and all; blanks ahead of it are cut, and those at the end where a newline follows
//! (`identity/script_blank_at_end`: where none does). Some other systems split it.
//!
//! See [c:execve-scripts].

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told of a script with arguments on its line",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    let script = system.script("script", &format!("#! {}  -a -b  \n", program.display()))?;
    system.observe(&Exec::path(script)?.arg("one")?.role(Role::Report)?)?;
    Ok(())
}
