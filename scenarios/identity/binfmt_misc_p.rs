//! What an interpreter is told by binfmt_misc with the flag `P`.
//!
//! The flag keeps the caller's first argument, after the interpreter and the file: the interpreter has one argument more. To an
//! interpreter that cannot know how it was registered, a bit in `AT_FLAGS` says so (`AT_FLAGS_PRESERVE_ARGV0`, since 5.12,
//! backported to 5.10.225). Without the flag the bit is 0.
//!
//! See Documentation/admin-guide/binfmt-misc.rst, getauxval(3).

use crate::scenario::{Exec, Role, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc, flag P: argv[0] is kept, and AT_FLAGS says so",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = system.ours("interpreter")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:P", program.display()))?;
    system.format("plain", &format!("M::EXETRAIN::{}:", program.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    let plain = system.script("plain", "EXETRAIN\n")?;
    let exec = Exec::path(&file)?.argv(&["mine", "one"])?;
    system.case("what it is told", &exec.role(Role::Report)?)?;
    for (heading, file) in [("AT_FLAGS", file), ("AT_FLAGS, without the flag P", plain)] {
        let exec = Exec::path(file)?.argv(&["mine", "one"])?;
        system.case(heading, &exec.reports(&["auxiliary-flags"])?)?;
    }
    Ok(())
}
