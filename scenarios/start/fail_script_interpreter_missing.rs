//! An exec of a script whose interpreter is not there: ENOENT, after the script was opened.
//!
//! See execve(2), ENOENT.

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "exec of a script whose interpreter is not there",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let script = stage.script("orphan.sh", "#!/usr/bin/none\n")?;
    stage.observe(&Exec::path(script)?)?;
    Ok(())
}
