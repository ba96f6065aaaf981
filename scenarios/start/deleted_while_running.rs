//! A program whose file is removed while it runs.
//!
//! From then on exe here has " (deleted)" after it, which is part of the text and not of any name: the text alone does
//! not tell a program that is really called so from one that is gone. The link still leads to the file.
//!
//! The kernel makes the link from the file's name at the moment of reading (`proc_exe_link`, `d_path`). The running
//! shell makes it visible by opening a file afterwards. (An NFS client that removes the file may rename it instead,
//! `nfs_sillyrename` in fs/nfs/unlink.c, and the link shows the new name.)
//!
//! See proc_pid_exe(5).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program whose file is deleted while it runs",
    unpredicted: Some("a program deletes the file of another, and its exe link says so"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let shell = system.copy("/usr/bin/bash", "sh")?;
    let command = "/usr/bin/busybox rm /tmp/sh; : < /etc/passwd";
    system.observe(&Exec::path(shell)?.arg("-c")?.arg(command)?)?;
    Ok(())
}
