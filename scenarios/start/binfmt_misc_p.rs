//! A format of binfmt_misc with the flag `P`.
//!
//! The interpreter is given the first argument as it was, after its own name and the file's path. cat,
//! which does not know that, opens the file twice: once by the path and once by what was argv[0].
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag P",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:P")?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
