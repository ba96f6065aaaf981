//! A program whose file is replaced by another file of the same name, as by an upgrade that moves the new one there.
//!
//! exe says "(deleted)", although a file with that very name is there: it is not the one that runs.
//!
//! The kernel makes the link from the file's name at the moment of reading (`proc_exe_link`, `d_path`). The running
//! shell makes it visible by opening a file afterwards.
//!
//! See proc_pid_exe(5).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program whose file is replaced while it runs",
    unpredicted: Some("a program replaces the file of another, and its exe link says so"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/usr/bin/cat", "new")?;

    let shell = system.copy("/usr/bin/bash", "sh")?;
    let command = "/usr/bin/busybox mv /tmp/new /tmp/sh; : < /etc/passwd";
    system.observe(&Exec::path(shell)?.arg("-c")?.arg(command)?)?;
    Ok(())
}
