//! A format of binfmt_misc with the flag `F`, whose interpreter is removed before it is used.
//!
//! The interpreter is opened when the format is registered, and that very file is used for ever: it
//! may be gone, or out of reach in another mount namespace. The use still opens it anew, from the
//! file that is held (`file_clone_open` in `load_misc_binary`), so that both events come, with "
//! (deleted)" after a path that leads nowhere; a policy that looks the path up finds no file, or
//! another one.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc with the flag F",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let interpreter = stage.copy("/usr/bin/busybox", "cat")?;
    stage.format(
        "exetrail",
        &format!("M::EXETRAIL::{}:F", interpreter.display()),
    )?;
    std::fs::remove_file(interpreter)?;
    let file = stage.script("data", "EXETRAIL\n")?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
