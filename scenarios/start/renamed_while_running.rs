//! A program whose file is renamed while it runs.
//!
//! exe follows: it shows the new name, under which the program was never executed. comm keeps the old one.
//!
//! The kernel makes the link from the file's name at the moment of reading (`proc_exe_link`, `d_path`). The running
//! shell makes it visible by opening a file afterwards.
//!
//! See proc_pid_exe(5).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program whose file is renamed while it runs",
    unpredicted: Some("a program renames the file of another, and its exe link follows"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let shell = system.copy("/usr/bin/bash", "sh")?;
    let command = "/usr/bin/busybox mv /tmp/sh /tmp/moved; : < /etc/passwd";
    system.observe(&Exec::path(shell)?.arg("-c")?.arg(command)?)?;
    Ok(())
}
