//! What a refusal does to a helper of `core_pattern`.
//!
//! The helper that is refused is gone without a trace: no log, no dump, and the process that died
//! dies the same way. (The program that dies is ours and lies outside of what is watched.)
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See core(5); `call_usermodehelper_exec_async` in kernel/umh.c.

use crate::scenario::{Exec, Role, Scenario, Stage, needs};
use crate::wire::LAUNCHER;

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a core dump helper refused",
    needs: &[needs::COREDUMP, needs::KERNEL_HELPERS],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.sysctl("kernel/core_pattern", "|/usr/bin/true")?;
    stage.refuse_each(&Exec::path(LAUNCHER)?.role(Role::Crash)?)?;
    Ok(())
}
