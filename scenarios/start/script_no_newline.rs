//! A script that has no newline at its end.
//!
//! The first line ends where the file ends. The kernel accepts that where it finds the end of the interpreter's name in
//! the 256 bytes that it reads (`load_script` in fs/binfmt_script.c, since [c:script-not-cut]). The kernel's part of
//! the trail is that of a script with a newline. The scenario is here because the check was made, reverted and made
//! anew before 5.0.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script that ends after its interpreter's name",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("cut.sh", "#!/usr/bin/true")?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
