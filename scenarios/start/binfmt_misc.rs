//! A file of a format that was registered with binfmt_misc.
//!
//! The kernel opens the file, recognises it by its first bytes and opens the interpreter that was
//! registered (`load_misc_binary` in fs/binfmt_misc.c): the order is that of a script. exe becomes
//! the interpreter, comm the file's name, and the interpreter opens the file itself, without
//! `execute`.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, Stage, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file of a format that binfmt_misc knows",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.format("exetrail", "M::EXETRAIL::/usr/bin/cat:")?;
    let file = stage.script("data", "EXETRAIL\n")?;
    stage.observe(&Exec::path(file)?)?;
    Ok(())
}
