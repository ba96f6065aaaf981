//! What a refusal does to a dynamically linked program when the file stays refused, as a policy by
//! path has it.
//!
//! `deny/program` refuses one event and lets the next open of the same file pass: the loader, which
//! looked for libc by the cache, then looks in its default directories, opens the very same file
//! and gets it. Here it is refused there too, and the program ends with 127, under its new exe. So
//! a policy on libraries must have the same answer each time; one that gives up after a first refusal (to warn,
//! say, or by a limit of rate) is passed by here.
//!
//! Each event of the start is the first that is refused, in turn; the first case refuses nothing.
//!
//! See ld.so(8), which searches the default path last.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each file of a program refused from some event on",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each_file(&Exec::path("/usr/bin/true")?)?;
    Ok(())
}
