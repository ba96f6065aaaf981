//! A program whose file is removed. exe here has " (deleted)" after it from then on, which is part of
//! the text and not of any name: by that text a program that is really called so cannot be told from one that is
//! gone. The link still leads to the file.
//!
//! The link is made from the file's name at the moment of reading (`proc_exe_link`, `d_path`); the
//! running shell makes it visible by opening a file afterwards. (A client of NFS that
//! removes it may rename it instead, `nfs_sillyrename` in fs/nfs/unlink.c, and the link shows the new name.)
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
