//! What a program is told when it is executed by its path. Here these four agree:
//!
//! - `AT_EXECFN` is the path as the caller gave it (below a descriptor it is not: `identity/execveat_directory`).
//! - argv[0] is whatever the caller chose (where it gives none: `identity/no_argv`).
//! - comm is the last part of the path, 15 bytes of it.
//! - The exe link is the file.
//!
//! See getauxval(3), execve(2), proc_pid_comm(5), proc_pid_exe(5).

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "executed by its path: AT_EXECFN, argv[0], comm and exe agree",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    system.observe(&Exec::path(program)?.arg("one")?.role(Role::Report)?)?;
    Ok(())
}
