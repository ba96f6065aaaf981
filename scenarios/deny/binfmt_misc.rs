//! What a refusal does to a file that binfmt_misc gives to an interpreter.
//!
//! As for a script: everything that the kernel opens is refused with EPERM to the caller, and the
//! interpreter's own open of the file with an exit status.
//!
//! Each event of the start is refused in turn, `FAN_DENY`, as a case of its own; the first case
//! refuses nothing.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "each event of a file of a registered format refused",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:")?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.refuse_each(&Exec::path(file)?)?;
    Ok(())
}
