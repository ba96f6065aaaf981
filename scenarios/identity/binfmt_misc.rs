//! What an interpreter is told of a file that is executed by its path, through an entry of binfmt_misc without a flag.
//!
//! As for a script, `AT_EXECFN` and comm are the file's, and exe is the interpreter's. The paths of the interpreter and of the
//! file take the place of the caller's argv[0].
//!
//! See Documentation/admin-guide/binfmt-misc.rst; `start/binfmt_misc` for the steps.

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc puts interpreter and file in the place of argv[0]",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:", program.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    let exec = Exec::path(file)?.argv(&["mine", "one"])?;
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
