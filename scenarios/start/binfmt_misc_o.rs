//! A format of binfmt_misc with the flag `O`.
//!
//! The kernel passes the file that it has opened to the interpreter, as a descriptor (`AT_EXECFD`). So an interpreter
//! that may not read the file can interpret it. An interpreter that knows nothing of this (cat here) opens the file by
//! its path, as before. The kernel asks permission for the exec of the file only once.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc flag O: the interpreter gets the file as a descriptor",
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
