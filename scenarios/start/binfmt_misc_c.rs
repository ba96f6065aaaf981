//! A format of binfmt_misc with the flag `C`.
//!
//! The credentials of the file count, not those of the interpreter: with it a set-user-ID file
//! works. It implies `O`. Steps are the same.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag C",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.format("exetrail", "M::EXETRAIL::/usr/bin/cat:C")?;
    let file = stage.script("data", "EXETRAIL\n")?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
