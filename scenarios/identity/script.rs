//! What an interpreter is told when a script is executed by its path.
//!
//! `AT_EXECFN` is the script's path, comm is the script's name, and exe is the interpreter. The argv[0] that the caller gave is
//! gone: the kernel puts the interpreter's path and then the script's in its place (`load_script` in fs/binfmt_script.c).
//!
//! See [c:execve-scripts]; `start/shebang` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a script's interpreter loses the caller's argv[0]",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    let script = system.script("script", &format!("#!{}\n", program.display()))?;
    let exec = Exec::path(script)?.argv(&["mine", "one"])?;
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
