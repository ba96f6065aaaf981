//! What a program is told when its file is removed before it is executed by descriptor.
//!
//! exe here ends in " (deleted)". On a kernel that takes comm from the file, comm is still the old name. An NFS client that
//! removes the file may rename it instead, and exe then has the new name (`nfs_sillyrename` in fs/nfs/unlink.c).
//!
//! Finding: comm differs between kernels, as in `start/fexecve`.
//!
//! See proc_pid_exe(5).

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "the file is removed before the exec: exe ends in (deleted)",
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
