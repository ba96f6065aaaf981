//! What a program is told whose caller lies about argv[0].
//!
//! None of the kernel's names depends on argv[0]: `AT_EXECFN`, comm and exe stay the file's. login(1)
//! tells a shell by a `-` here that it is a login shell, and `ps -f` shows this text.
//!
//! See [c:execve-argv].

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told that was given another argv[0]",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    let exec = Exec::path(program)?.argv(&["[kworker/0:0]", "one"])?;
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
