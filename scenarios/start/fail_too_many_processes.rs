//! An exec after setuid(2) to a user who is at the limit of processes, which is 0 here.
//!
//! setuid does not enforce the limit; it only notes that it was exceeded (`PF_NPROC_EXCEEDED`). execve enforces it,
//! before anything is opened: EAGAIN, and no step.
//!
//! Finding: setuid compares before it counts the process for its new user. On 5.10 it compares with `>=` (`set_user` in
//! kernel/sys.c): a user without a process is over a limit of 0 already. Since [c:nproc-ucounts] it compares with `>`
//! (`flag_nproc_exceeded` from 6.1 on): outside of user namespaces a user without a process is not over a limit of 0,
//! and the program starts.
//!
//! See [c:execve-eagain].

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a user who has too many processes",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?.before(|| {
        setrlimit(Resource::RLIMIT_NPROC, 0, 0)?;
        Ok(setuid(Uid::from_raw(65534))?)
    });
    system.observe(&exec)?;
    Ok(())
}
