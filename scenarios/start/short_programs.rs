//! Short programs, one after the other, as a configure script starts them.
//!
//! Each is a process of its own that opens nothing and has ended before the next one begins. They have no step after
//! the exec: an observer that looks into `/proc` at each of their steps finds the shell there at every one, and
//! afterwards nobody. An observer that is told of each exec inside the kernel has all four. IMA, which records a
//! content once under the same name, has the first.

use crate::scenario::{Exec, Role, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "four short programs in a row",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("short")?;
    let calls = ["/tmp/short"; 4].join("; ");
    let shell = Exec::path("/usr/bin/busybox")?.argv(&["sh", "-c", &format!("{calls}; :")])?;
    system.observe(&shell.role(Role::Exit)?)?;
    Ok(())
}
