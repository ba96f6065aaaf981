//! What an interpreter is told by binfmt_misc with the flag `F`.
//!
//! exe is the interpreter that was opened beforehand. While that file is still at its path, the program is told the same as by an
//! entry without the flag. `start/binfmt_misc_f` has the case where the file is gone.
//!
//! See Documentation/admin-guide/binfmt-misc.rst, getauxval(3).

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc, flag F: the same is told as without it",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:F", program.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    let exec = Exec::path(file)?.argv(&["mine", "one"])?;
    system.observe(&exec.role(Role::Report)?)?;
    Ok(())
}
