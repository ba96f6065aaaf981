//! A format of binfmt_misc with the flag `T`: the interpreter runs, and the process appears as the file.
//!
//! exe, comm and `AT_EXECFN` are those of what was executed: debuggers and policies that go by them see the program and
//! not the emulator. The kernel asks permission for the opening of the emulator as ever, and the process has the
//! emulator in its maps.
//!
//! See Documentation/admin-guide/binfmt-misc.rst of a kernel that has it (7.3 is the first of the table).

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc flag T: exe and comm are the file's",
    needs: &[
        needs::OWN_SETTINGS,
        needs::BINFMT_MISC,
        needs::BINFMT_MISC_LOADER,
    ],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let file = system.script("data", "EXETRAIL\n")?;
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:T")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
