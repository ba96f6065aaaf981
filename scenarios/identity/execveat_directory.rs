//! What a program is told when it is executed below a directory descriptor.
//!
//! The kernel makes up `AT_EXECFN`, here `/dev/fd/5/program` (`alloc_bprm` in fs/exec.c). comm is the program's name.
//!
//! See execveat(2).

use nix::fcntl::OFlag;

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a program executed below a descriptor is told /dev/fd/5/program",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("program")?;
    let exec = Exec::at("execveat", "fd 5 program", 5, c"program", 0)?;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    system.observe(&exec.role(Role::Report)?.opened(5, "/tmp", flags))?;
    Ok(())
}
