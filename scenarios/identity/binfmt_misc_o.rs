//! What an interpreter is told by binfmt_misc with the flag `O`.
//!
//! `AT_EXECFD` is the descriptor of the file, open for reading. Without the flag there is no such
//! entry.
//!
//! See Documentation/admin-guide/binfmt-misc.rst, getauxval(3).

use crate::scenario::{Exec, Role, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told by binfmt_misc with the flag O",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let program = stage.ours("interpreter")?;
    stage.format("exetrail", &format!("M::EXETRAIL::{}:O", program.display()))?;
    let file = stage.script("data", "EXETRAIL\n")?;
    let exec = Exec::path(file)?.argv(&["mine", "one"])?;
    stage.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
