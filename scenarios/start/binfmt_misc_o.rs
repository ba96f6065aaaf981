//! A format of binfmt_misc with the flag `O`.
//!
//! The kernel hands the interpreter the file that it has opened, as a descriptor (`AT_EXECFD`), so
//! that one that may not read the file can interpret it. An interpreter that knows nothing of
//! this (cat here) opens the file as before, by its path. The exec of the file is asked for once
//! only.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag O",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:O")?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
