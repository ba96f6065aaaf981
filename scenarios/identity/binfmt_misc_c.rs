//! What an interpreter is told by binfmt_misc with the flag `C`.
//!
//! The flag implies `O`, so `AT_EXECFD` is there. The set-user-ID bit of the file counts with this flag, and not without it.
//!
//! See Documentation/admin-guide/binfmt-misc.rst, getauxval(3).

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc, flag C: AT_EXECFD is there, set-user-ID counts",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:C", program.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    let exec = Exec::path(file)?.argv(&["mine", "one"])?;
    system.case("what it is told", &exec.role(Role::Report)?)?;
    system.format("plain", &format!("M::EXETRAIN::{}:", program.display()))?;
    for (heading, name, text) in [
        ("a set-user-ID file, by a user", "own", "EXETRAIL\n"),
        ("the same without the flag C", "plain", "EXETRAIN\n"),
    ] {
        let file = system.file(name, text.as_bytes(), 0o4755)?;
        let exec = Exec::path(file)?.as_user();
        system.case(heading, &exec.reports(&["uids"])?)?;
    }
    Ok(())
}
