//! A 32-bit call that starts a 32-bit program: call and return are both of the 32-bit table.
//!
//! Neither `sys_enter_execve` nor `sys_exit_execve` fires; see `start/caller32`.

use crate::scenario::{Elf, Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "32-bit call of execve that starts a 32-bit program",
    needs: &[needs::BITS_32],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.file("narrow", &Elf::new_32().read_only().build(), 0o755)?;
    let exec = Exec::by("execve by int 0x80", program, |args| args.execve_narrow())?;
    system.observe(&exec.itself())?;
    Ok(())
}
