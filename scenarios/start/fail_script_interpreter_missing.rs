//! An exec of a script whose interpreter is not there: ENOENT, after the script was opened.
//!
//! See execve(2), ENOENT.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a script whose interpreter is not there: ENOENT",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("orphan.sh", "#!/usr/bin/none\n")?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
