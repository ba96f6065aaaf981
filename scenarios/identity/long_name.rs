//! What a program is told when its name is longer than comm.
//!
//! comm holds 15 bytes (`TASK_COMM_LEN`) and is cut, so two long names can have the same comm. `AT_EXECFN` and exe are whole.
//!
//! See proc_pid_comm(5).

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a long name is cut in comm, and whole in AT_EXECFN and exe",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("a-name-that-is-longer-than-comm")?;
    system.observe(&Exec::path(program)?.role(Role::Report)?)?;
    Ok(())
}
