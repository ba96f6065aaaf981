//! EAGAIN: RLIMIT_NPROC is exceeded.
//!
//! execve counts no process: it looks at the limit only when an earlier setuid(2), or its like, went
//! over it and said so with `PF_NPROC_EXCEEDED`, and only if it is still exceeded
//! (`do_execveat_common` in fs/exec.c; commit 72fa59970f8e, "move RLIMIT_NPROC check from set_user()
//! to do_execve_common()", 3.1). A process that is over the limit because the limit was lowered
//! starts what it likes. Root of the initial user namespace is exempt.
//!
//! See execve(2), EAGAIN, which has it right, and `start/fail_too_many_processes`.

use anyhow::ensure;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, pipe2, read, seteuid, setuid, write};

use crate::scenario::{Elf, ErrnoClaim, Exec, Scenario, Stage, USER};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "EAGAIN: the limit of processes is exceeded",
    run,
    ..Scenario::DEFAULT
};

/// Has the user another process, which ends with this one.
fn company() -> anyhow::Result<()> {
    let (ready, tell) = pipe2(OFlag::O_CLOEXEC)?;
    if let sys::ForkResult::Child = sys::fork()? {
        drop(ready);
        let stay = setuid(Uid::from_raw(USER)).and_then(|()| sys::die_with_parent());
        let stay = stay.and_then(|()| write(&tell, b"1"));
        while stay.is_ok() {
            nix::unistd::pause();
        }
        sys::exit_now(1);
    }
    drop(tell);
    ensure!(read(&ready, &mut [0])? == 1, "the other process has failed");
    Ok(())
}

fn limit(processes: u64) -> anyhow::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NPROC, processes, processes)?)
}

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let exec = Exec::path(stage.file("program", &Elf::new().build(), 0o755)?)?;
    let mut claim = ErrnoClaim::new(stage, "error/EAGAIN", Errno::EAGAIN);
    let lowered = exec.clone().before(|| {
        setuid(Uid::from_raw(USER))?;
        company()?;
        limit(1)
    });
    claim.stated("two processes, then a limit of one", &lowered)?;
    let by_setuid = exec.clone().before(|| {
        company()?;
        limit(1)?;
        Ok(setuid(Uid::from_raw(USER))?)
    });
    claim.stated_if(
        "by setuid",
        "limit of one, then a second process",
        &by_setuid,
    )?;
    let back = exec.clone().before(|| {
        company()?;
        limit(1)?;
        seteuid(Uid::from_raw(USER))?;
        Ok(seteuid(Uid::from_raw(0))?)
    });
    claim.starts("over the limit by the effective id, and back", &back)?;
    let root = exec.clone().before(|| limit(0));
    claim.starts("limit of none, by root", &root)?;
    claim.verdict()
}
