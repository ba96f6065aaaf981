//! A format of binfmt_misc with the flag `C`.
//!
//! The kernel goes by the credentials of the file, not by those of the interpreter: a set-user-ID file works with the
//! flag (`identity/binfmt_misc_c`). The flag implies `O`. The trail is that of `start/binfmt_misc`.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc flag C: the file's credentials count",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:C")?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
