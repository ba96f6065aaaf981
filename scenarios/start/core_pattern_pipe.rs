//! The helper of `core_pattern` alone: the program that dies is ours and lies outside of what is watched.
//!
//! `start/core_pattern_kworker` shows the whole. The kernel waits until the helper has passed its exec, and then writes
//! the dump to it. The dying process is not reaped before that.
//!
//! See [c:core-pipe].

use crate::scenario::{Exec, Role, Scenario, System, needs};
use crate::wire::LAUNCHER;

pub const SCENARIO: Scenario = Scenario {
    summary: "core dump to a helper, from a static program",
    needs: &[needs::COREDUMP, needs::KERNEL_HELPERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.sysctl("kernel/core_pattern", "|/usr/bin/true")?;
    system.observe(&Exec::path(LAUNCHER)?.role(Role::Crash)?)?;
    Ok(())
}
