//! A process asks the kernel whether a file may be executed, whatever its format; the kernel does not execute it.
//!
//! With `AT_EXECVE_CHECK` the kernel opens the program and asks permission for it as in an exec. Security modules are
//! heard at the open and at `bprm_creds_for_exec`, but not at `bprm_check`, where TOMOYO decides. Unless one refuses,
//! the call then returns 0 (`bprm_execve` in fs/exec.c). The kernel opens no interpreter, and the process stays what it
//! was.
//!
//! A policy sees an `execute` by which nothing was executed. Interpreters are meant to ask so before they run a script.
//!
//! Source: [c:execve-check]; Documentation/userspace-api/check_exec.rst.

use nix::libc;

use crate::scenario::{Exec, Scenario, System, needs};
use crate::sys::AT_EXECVE_CHECK;

pub const SCENARIO: Scenario = Scenario {
    summary: "the kernel is asked whether a file may be executed",
    needs: &[needs::EXECVE_CHECK],
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
    system.observe(&exec)?;
    Ok(())
}
