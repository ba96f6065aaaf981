//! What a program is told when it is executed through `/proc/self/fd/5`.
//!
//! comm is `5` on every kernel, and `AT_EXECFN` is the path; only exe names the file. `identity/descriptor` starts the same
//! program with the other call, by a descriptor that was opened for reading.
//!
//! See proc_pid_fd(5).

use nix::fcntl::OFlag;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "executed through /proc/self/fd/5: comm is 5, exe names the file",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("program")?;
    let exec = Exec::path("/proc/self/fd/5")?.role(Role::Report)?;
    system.observe(&exec.opened(5, program, OFlag::O_PATH | OFlag::O_CLOEXEC))?;
    Ok(())
}
