//! What a program is told when its caller lies about argv[0].
//!
//! None of the kernel's names depends on argv[0]: `AT_EXECFN`, comm and exe stay the file's. login(1) puts a `-` there to tell a
//! shell that it is a login shell, and `ps -f` shows argv[0].
//!
//! See [c:execve-argv].

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a false argv[0]; AT_EXECFN, comm and exe stay the file's",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    let exec = Exec::path(program)?.argv(&["[kworker/0:0]", "one"])?;
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
