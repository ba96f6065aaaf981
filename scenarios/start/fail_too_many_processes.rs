//! An exec after setuid(2) to a user who is at the limit of processes, which is 0 here.
//!
//! The limit is not enforced in setuid, which only notes that it was exceeded (`PF_NPROC_EXCEEDED`),
//! but in execve, before anything is opened: EAGAIN, and no step.
//!
//! Finding: on 5.10 a user who has as many processes as the limit is over it (`set_user` in
//! kernel/sys.c compares with `>=`). From 6.1 on `flag_nproc_exceeded` asks before the process is
//! counted for its new user, and since [c:nproc-ucounts] for more processes than the limit: the first
//! process of a user passes whatever the limit, and the program starts.
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
