//! What a refusal does to a dynamically linked program.
//!
//! Up to the point of no return the caller is told: execve fails with EPERM and the process is
//! still the old one, whether the program or its ELF interpreter was refused. After a refused
//! `execute` the kernel does not ask about the `open`. After the point the loader gets the EPERM: a cache that it may not
//! open is passed over; so is libc, at first: the loader looks for it in its default
//! directories and opens the same file once more, which is not refused in this scenario, and all is
//! well. See `deny/files` for a policy that has the same answer each time.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! See fanotify(7), `FAN_DENY`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a dynamically linked program refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::path("/usr/bin/true")?)?;
    Ok(())
}
