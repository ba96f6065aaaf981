//! What a refusal does to execveat(2) with `AT_EXECVE_CHECK`: the answer of the check is EPERM. An
//! interpreter that asks before it runs a script hears this way of a refused open.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.

use nix::libc;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys::AT_EXECVE_CHECK;

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a check without execution refused",
    needs: &[needs::EXECVE_CHECK],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::at(
        "execveat AT_EXECVE_CHECK",
        "/usr/bin/true",
        libc::AT_FDCWD,
        c"/usr/bin/true",
        AT_EXECVE_CHECK,
    )?;
    system.refuse_each(&exec)?;
    Ok(())
}
