//! What a program is told when it is executed by descriptor (fexecve(3)).
//!
//! `AT_EXECFN` is `/dev/fd/5`. That descriptor is closed by now, so the name leads nowhere.
//!
//! Finding: comm differs between kernels, as in `start/fexecve`.
//!
//! See execveat(2), `AT_EMPTY_PATH`.

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program executed by descriptor is told /dev/fd/5, which is closed",
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
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    system.observe(&exec.role(Role::Report)?.opened(5, program, flags))?;
    Ok(())
}
