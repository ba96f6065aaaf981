//! An exec after setuid(2) to a user who is over the limit of processes: EAGAIN.
//!
//! The limit is checked in execve and not in setuid (`PF_NPROC_EXCEEDED` in `do_execveat_common`,
//! fs/exec.c), before anything is opened: there is no step.
//!
//! See execve(2), EAGAIN; commit 72fa59970f8698 (3.1).

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, setuid};

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a user who has too many processes",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path("/usr/bin/true")?.before(|| {
        setrlimit(Resource::RLIMIT_NPROC, 0, 0)?;
        Ok(setuid(Uid::from_raw(65534))?)
    });
    stage.observe(&exec)?;
    Ok(())
}
