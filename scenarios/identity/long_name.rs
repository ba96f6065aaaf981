//! What a program is told whose name is longer than comm.
//!
//! comm holds 15 bytes and is cut (`TASK_COMM_LEN`), so that two long names can be one; `AT_EXECFN`
//! and exe are whole.
//!
//! See proc_pid_comm(5).

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told whose name is long",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("a-name-that-is-longer-than-comm")?;
    system.observe(&Exec::path(program)?.role(Role::Report)?)?;
    Ok(())
}
