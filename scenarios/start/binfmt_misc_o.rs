//! A format of binfmt_misc with the flag `O`.
//!
//! The kernel opens the file for the interpreter and hands it over as a descriptor (`AT_EXECFD`),
//! so that one that may not read the file can interpret it. An interpreter that knows nothing of
//! this (cat here) opens the file as before, by its path. The exec of the file is asked for once
//! only.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag O",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.format("exetrail", "M::EXETRAIL::/usr/bin/cat:O")?;
    let file = stage.script("data", "EXETRAIL\n")?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
