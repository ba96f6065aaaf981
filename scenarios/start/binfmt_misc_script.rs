//! A file of a registered format whose interpreter is a script.
//!
//! The formats go round as scripts do: file, script and shell are opened one after the other, all
//! under the exe of the caller, and each round counts for the limit of five.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file of a registered format whose interpreter is a script",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let script = stage.script("interpret.sh", "#!/usr/bin/bash\n:\n")?;
    stage.format("exetrail", &format!("M::EXETRAIL::{}:", script.display()))?;
    let file = stage.script("data", "EXETRAIL\n")?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
