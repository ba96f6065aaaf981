//! A format of binfmt_misc with the flag `F`.
//!
//! The interpreter is opened when the format is registered, and not when it is used: its `execute`
//! and `open` are missing from the trail. A policy that decides by the open of the interpreter
//! never hears of it; in another mount namespace or a container the file is interpreted by a
//! program that is not there.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag F",
    needs: &[needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.format("exetrail", "M::EXETRAIL::/usr/bin/cat:F")?;
    let file = stage.script("data", "EXETRAIL\n")?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
