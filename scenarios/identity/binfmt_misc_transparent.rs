//! What an interpreter is told by a transparent entry of binfmt_misc (flag `T`).
//!
//! `AT_EXECFN`, comm and the exe link name the file that was executed, and argv is the caller's: none of them names the
//! interpreter. `/proc/PID/maps` does; the second case counts its lines that do.
//!
//! See Documentation/admin-guide/binfmt-misc.rst of a kernel that has it (7.3 is the first of the table).

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "a transparent binfmt_misc entry: only maps names the interpreter",
    needs: &[
        needs::OWN_SETTINGS,
        needs::BINFMT_MISC,
        needs::BINFMT_MISC_LOADER,
    ],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:T", program.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    let exec = Exec::path(file)?.argv(&["mine", "one"])?;
    system.case("what it is told", &exec.clone().role(Role::Report)?)?;
    system.case("lines of maps", &exec.reports(&["interpreter-maps"])?)?;
    Ok(())
}
