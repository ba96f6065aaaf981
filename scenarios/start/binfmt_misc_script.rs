//! A file of a registered format whose interpreter is a script.
//!
//! The kernel goes from format to format as it does with scripts. It opens file, script and shell one after the other,
//! all under the exe of the caller; file and script each count towards the limit of five.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file of a registered format whose interpreter is a script",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("interpret.sh", "#!/usr/bin/bash\n:\n")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:", script.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
