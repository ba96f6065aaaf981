//! What an interpreter is told by binfmt_misc with the flag `F`.
//!
//! The interpreter that was opened beforehand is the exe; while it is still at its path, nothing that
//! the program is told differs from an entry without the flag (`start/binfmt_misc_f`: when it is gone).
//!
//! See Documentation/admin-guide/binfmt-misc.rst, getauxval(3).

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "what an interpreter is told by binfmt_misc with the flag F",
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
