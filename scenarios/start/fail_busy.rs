//! An exec of a file that somebody has open for writing: ETXTBSY.
//!
//! Both events come before the refusal, because the kernel asks fanotify while it opens the file and denies writing
//! after that (`do_open_execat`).
//!
//! Files that are exceptions are in `contract/error_etxtbsy`.
//!
//! Finding: 6.11 to 6.11.10, 6.12 and 6.12.1 did not deny writing ([c:writers-allowed], taken back by
//! [c:writers-denied]); no kernel of the table is one of those.
//!
//! See execve(2), ETXTBSY.

use nix::fcntl::OFlag;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a file that is open for writing: ETXTBSY",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.copy("/usr/bin/busybox", "busy")?;
    let exec = Exec::path(&file)?.argv(&["busybox", "true"])?;
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    system.observe(&exec.opened(5, file, flags))?;
    Ok(())
}
