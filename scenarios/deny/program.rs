//! A listener denies (`FAN_DENY`) each event of a dynamically linked program in turn, one case per event. The first case
//! denies nothing.
//!
//! Up to the point of no return the caller learns of a refusal: execve fails with EPERM and the process is still the old one,
//! whether the listener denied the program or its ELF interpreter. After a denied `execute` the kernel does not ask about the
//! `open`.
//!
//! After the point of no return the loader gets the EPERM:
//! - It skips a cache that it may not open.
//! - It skips libc too, at first. It then looks for libc in its default directories and opens the same file once more. This
//!   scenario does not deny that open, and the program runs. In `deny/files` a policy gives the same answer each time.
//!
//! See fanotify(7), `FAN_DENY`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a dynamically linked program",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::path("/usr/bin/true")?)?;
    Ok(())
}
