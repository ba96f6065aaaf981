//! What an interpreter is told of a file that binfmt_misc gives it.
//!
//! By its path and without a flag, as for a script: `AT_EXECFN` and comm are the file's, exe is the interpreter's, and in the place of
//! the caller's argv[0] are the interpreter's path and the file's.
//!
//! See Documentation/admin-guide/binfmt-misc.rst; `start/binfmt_misc` for the steps.

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told by binfmt_misc",
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
