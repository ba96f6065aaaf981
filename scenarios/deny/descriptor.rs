//! What a refusal does when a program is executed by descriptor.
//!
//! The first event is the caller's own open: of these events the only one by which a refusal keeps the caller from
//! holding the file. The exec opens it once more and can still be refused.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.
//!
//! Finding: comm after the point of no return, as in `start/fexecve`.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a program by descriptor refused",
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.refuse_each(&Exec::descriptor("/usr/bin/true")?)?;
    Ok(())
}
