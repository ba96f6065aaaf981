//! A program executed by a descriptor that was opened with `O_PATH`.
//!
//! Such an open is no open to fanotify: the caller's step with which `start/fexecve` begins is missing. The exec opens
//! the file anew, with both events.
//!
//! Finding: comm differs, as in `start/fexecve`.
//!
//! See open(2), `O_PATH`; execveat(2), `AT_EMPTY_PATH`.

use nix::fcntl::OFlag;
use nix::libc;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "execveat with an O_PATH descriptor",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::at(
        "execveat",
        "O_PATH fd 5 AT_EMPTY_PATH",
        5,
        c"",
        libc::AT_EMPTY_PATH,
    )?;
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    system.observe(&exec.opened(5, "/usr/bin/true", flags))?;
    Ok(())
}
