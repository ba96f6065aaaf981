//! What a refusal does to a program that is started by posix_spawn(3).
//!
//! The child that is refused shares the memory of its parent, and in glibc tells it the errno by that
//! way: posix_spawn itself fails with EPERM. It has reaped the child (127), so that the caller has no
//! exit status to wait for.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See [c:posix-spawn-return].

use crate::scenario::{Exec, Scenario, System};
use crate::sys::Spawn;

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program by posix_spawn refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::spawned("posix_spawn", "/usr/bin/true", Spawn::PosixSpawn)?;
    system.refuse_each(&exec)?;
    Ok(())
}
