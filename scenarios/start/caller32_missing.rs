//! A 32-bit call that fails: the file is missing.
//!
//! Neither `sys_enter_execve` nor `sys_exit_execve` fires. A tool that counts failed execs by them misses this one; see
//! `start/caller32`.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "32-bit call of execve that fails: the file is missing",
    needs: &[needs::BITS_32],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("execve by int 0x80", "/tmp/none", |args| {
        args.execve_narrow()
    })?;
    system.observe(&exec.itself())?;
    Ok(())
}
