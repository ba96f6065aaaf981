//! What a program is told whose file is removed before it is executed by descriptor.
//!
//! exe here ends in " (deleted)" (a client of NFS that removes the file may rename it instead, and exe has the new name,
//! `nfs_sillyrename` in fs/nfs/unlink.c). On a kernel that takes comm from the file, the name is still the old one.
//!
//! Finding: comm, as in `start/fexecve`.
//!
//! See proc_pid_exe(5).

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "what a program is told whose file is gone",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    let exec = Exec::at(
        "execveat",
        "fd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let exec = exec.role(Role::Report)?;
    let exec = exec.opened(5, program, OFlag::O_RDONLY | OFlag::O_CLOEXEC);
    system.observe(&exec.before(|| Ok(std::fs::remove_file("/tmp/program")?)))?;
    Ok(())
}
