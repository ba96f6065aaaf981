//! What an interpreter is told when a script is executed by its path.
//!
//! `AT_EXECFN` is the script's path, comm is the script's name, and exe is the interpreter; argv[0], which
//! the caller gave, is gone: the kernel puts the interpreter's path in its place and the script's
//! after it (`load_script` in fs/binfmt_script.c).
//!
//! See [c:execve-scripts]; `start/shebang` for the steps.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told of a script",
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
