//! A format of binfmt_misc with the flag `F`, whose interpreter is removed before it is used.
//!
//! The interpreter is opened when the format is registered, and that very file is used as long as the entry is there: it
//! may be gone, or out of reach in another mount namespace. The use still opens it anew, from the
//! file that is held (`file_clone_open` in fs/binfmt_misc.c), so that both events come,
//! with " (deleted)" after a path that leads nowhere; a policy that looks the path up finds no file, or
//! another one.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag F",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let interpreter = system.copy("/usr/bin/busybox", "cat")?;
    system.format(
        "exetrail",
        &format!("M::EXETRAIL::{}:F", interpreter.display()),
    )?;
    std::fs::remove_file(interpreter)?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
