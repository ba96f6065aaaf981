//! EAGAIN: RLIMIT_NPROC is exceeded.
//!
//! execve counts no process. It looks at the limit only when an earlier setuid(2), or its like, went over it and set
//! `PF_NPROC_EXCEEDED`, and it fails only if the limit is still exceeded (`do_execveat_common` in fs/exec.c; [c:nproc-in-exec]).
//! A process without that flag starts what it likes, also over a limit that was lowered, while its fork(2) is EAGAIN. A caller
//! whose real user is root of the initial user namespace is exempt (`INIT_USER`).
//!
//! From 6.1 on even the flag comes one process too late. `flag_nproc_exceeded` (kernel/sys.c) asks before the process is counted
//! for its new user, and since [c:nproc-ucounts] it asks for more processes than the limit; on 5.10 as many are enough
//! (`set_user`). So from 6.1 on the second process of a limit of one starts, and the third does not.
//!
//! See execve(2), EAGAIN and NOTES, and `start/fail_too_many_processes`.

use anyhow::bail;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{ForkResult, Uid, setresuid, setuid};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, System, USER, company};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "EAGAIN: the limit of processes is exceeded",
    run,
    ..Scenario::DEFAULT
};

fn limit(processes: u64) -> anyhow::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NPROC, processes, processes)?)
}

/// Checks with fork(2) that the caller is over its limit.
fn exceeded() -> anyhow::Result<()> {
    match sys::fork() {
        Err(Errno::EAGAIN) => Ok(()),
        Ok(ForkResult::Child) => sys::exit_now(0),
        other => bail!("over the limit fork said {other:?}"),
    }
}

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.file("program", &Elf::new().build(), 0o755)?)?;
    let mut claim = ErrnoClaim::new(system, "error/EAGAIN", Errno::EAGAIN);
    let lowered = exec.clone().before(|| {
        setuid(Uid::from_raw(USER))?;
        company()?;
        limit(1)?;
        exceeded()
    });
    claim.stated("two processes, then a limit of one", &lowered)?;
    let by_setuid = exec.clone().before(|| {
        company()?;
        limit(1)?;
        setuid(Uid::from_raw(USER))?;
        exceeded()
    });
    claim.stated_if(
        "by setuid",
        "limit of one, then a second process",
        &by_setuid,
    )?;
    let by_two = exec.clone().before(|| {
        company()?;
        company()?;
        limit(1)?;
        setuid(Uid::from_raw(USER))?;
        exceeded()
    });
    claim.stated_if("by setuid", "limit of one, then a third process", &by_two)?;
    let raised = exec.clone().before(|| {
        company()?;
        company()?;
        setrlimit(Resource::RLIMIT_NPROC, 1, 50)?;
        setuid(Uid::from_raw(USER))?;
        exceeded()?;
        limit(50)
    });
    claim.starts("over the limit by setuid, which is raised then", &raised)?;
    let (user, root) = (Uid::from_raw(USER), Uid::from_raw(0));
    let back = exec.clone().before(move || {
        company()?;
        company()?;
        limit(1)?;
        setresuid(user, user, root)?;
        exceeded()?;
        Ok(setresuid(root, root, root)?)
    });
    claim.starts("over the limit by setresuid, and root again", &back)?;
    claim.verdict()
}
