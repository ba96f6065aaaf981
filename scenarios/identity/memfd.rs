//! What a program is told when it lies in a memfd.
//!
//! exe is `/memfd:NAME (deleted)`. There is no step at all: the file is on no watched file system, and the program is static.
//!
//! Finding: comm differs between kernels, as in `start/fexecve`. Where it is taken from the file it is `memfd:NAME`.
//!
//! See memfd_create(2).

use std::io::Write as _;
use std::os::fd::AsFd as _;

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::scenario::{Exec, Role, Scenario, System};
use crate::sys::place_fd;
use crate::wire::SUBJECT;

pub const SCENARIO: Scenario = Scenario {
    summary: "a program in a memfd: exe is /memfd:NAME (deleted)",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::at(
        "execveat",
        "memfd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let exec = exec.role(Role::Report)?.before(|| {
        let memory = memfd_create(c"program", MFdFlags::MFD_CLOEXEC)?;
        std::fs::File::from(memory.try_clone()?).write_all(&std::fs::read(SUBJECT)?)?;
        place_fd(memory.as_fd(), 5)?;
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}
