//! What a refusal does to a program that is looked for in `PATH` by execvp(3), here by env.
//!
//! execvp goes on to the next directory when it is told EACCES, but not when it is told EPERM,
//! which is what a refusal says: the search ends. env exits with 126. (In the last case the first program has no execute permission,
//! and the second runs.)
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See [c:exec-search-goes-on].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program that env finds in PATH refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.copy("/usr/bin/busybox", "first/busybox")?;
    system.copy("/usr/bin/busybox", "second/busybox")?;
    let env = Exec::path("/usr/bin/env")?.arg("PATH=/tmp/first:/tmp/second")?;
    let exec = env.arg("busybox")?.arg("true")?;
    system.refuse_each(&exec)?;
    system.set_mode("first/busybox", 0o644)?;
    system.case("the first may not be executed: EACCES", &exec)?;
    Ok(())
}
