//! A listener denies (`FAN_DENY`) each event of execveat(2) with `AT_EXECVE_CHECK`, in turn, one case per event. The first
//! case denies nothing.
//!
//! The check answers EPERM. In this way an interpreter that asks before it runs a script learns of a denied open.

use nix::libc;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys::AT_EXECVE_CHECK;

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a check that executes nothing",
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
