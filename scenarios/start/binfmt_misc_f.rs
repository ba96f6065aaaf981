//! A format of binfmt_misc with the flag `F`, whose interpreter is removed before it is used.
//!
//! The kernel opens the interpreter when the format is registered, and uses that very file as long as the entry is
//! there. The file may meanwhile be gone, or out of reach in another mount namespace.
//!
//! The use still opens the interpreter anew, from the file that the kernel holds (`file_clone_open` in
//! fs/binfmt_misc.c). So both events come, with " (deleted)" after a path that leads nowhere. A policy that looks the
//! path up finds no file, or another one.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc flag F: the interpreter is removed before its use",
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
