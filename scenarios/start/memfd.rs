//! A program in a memfd.
//!
//! The file is on the kernel's own mount of tmpfs, which no mark on the fixture covers: the listener never sees the
//! program itself. (The first step is the caller's, which reads what it puts into the memfd.) The trail shows the
//! program's ELF interpreter, opened by a process that is still the caller, and then an exe that is not a path,
//! `/memfd:NAME (deleted)`. A policy that knows programs by their events has none for this one.
//!
//! Finding: comm differs, as in `start/fexecve`. It is the descriptor's number, or, where the kernel takes it from the
//! file, `memfd:NAME`, cut to 15 characters.
//!
//! See memfd_create(2); mm/memfd.c.

use std::io::Write as _;
use std::os::fd::AsFd as _;

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::scenario::{Exec, Scenario, System};
use crate::sys::place_fd;

pub const SCENARIO: Scenario = Scenario {
    summary: "program in a memfd, which has no path",
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
    let exec = exec.before(|| {
        let memory = memfd_create(c"true", MFdFlags::MFD_CLOEXEC)?;
        std::fs::File::from(memory.try_clone()?).write_all(&std::fs::read("/usr/bin/true")?)?;
        place_fd(memory.as_fd(), 5)?;
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}
