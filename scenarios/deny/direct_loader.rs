//! What a refusal does when the ELF interpreter is run by hand.
//!
//! The program has no `execute` to refuse. When its `open` is refused the loader exits with a
//! status of its own; the caller's execve has long succeeded.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See `start/direct_ldso`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program run by the loader refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::path("/lib64/ld-linux-x86-64.so.2")?.arg("/usr/bin/true")?)?;
    Ok(())
}
