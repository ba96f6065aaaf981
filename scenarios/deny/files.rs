//! A listener denies a file of a dynamically linked program and keeps denying it, as a policy by path does. Each event of the
//! start is the first that it denies, in turn; the first case denies nothing.
//!
//! `deny/program` denies one event and allows the next open of the same file. There the loader, which looked for libc by the
//! cache, then looks in its default directories, opens the very same file and gets it. Here the listener denies that open
//! too, and the program ends with 127, under its new exe.
//!
//! So a policy on libraries must give the same answer each time. The loader gets past one that gives up after a first refusal
//! (to warn, say, or because of a rate limit).
//!
//! See ld.so(8), which searches the default path last.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each file of a program from some event on",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each_file(&Exec::path("/usr/bin/true")?)?;
    Ok(())
}
