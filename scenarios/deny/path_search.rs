//! A listener denies (`FAN_DENY`) each event of env and of a program that env looks for in `PATH` by execvp(3), in turn, one
//! case per event. The first case denies nothing.
//!
//! A refusal gives execvp EPERM, which ends the search: env exits with 126. After EACCES execvp goes on to the next
//! directory. In the last case the first program has no execute permission, and the second runs.
//!
//! See [c:exec-search-goes-on].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a program that env finds in PATH",
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
