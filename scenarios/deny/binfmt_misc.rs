//! A listener denies (`FAN_DENY`) each event of the start of a file that binfmt_misc gives to an interpreter, in turn, one
//! case per event. The first case denies nothing.
//!
//! As with a script, the caller gets EPERM where the listener denies a file that the kernel opens. Where it denies the
//! interpreter's own open of the file, the interpreter reports that by its exit status.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a listener denies each event of a file of a registered format",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:")?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.refuse_each(&Exec::path(file)?)?;
    Ok(())
}
