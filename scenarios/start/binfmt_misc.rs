//! A file whose format is registered with binfmt_misc, by its first bytes and without flags.
//!
//! The kernel opens the file, recognises it by its first bytes and opens the registered interpreter (`load_misc_binary`
//! in fs/binfmt_misc.c): the order is that of a script. exe becomes the interpreter, comm the file's name. The
//! interpreter opens the file itself, without `execute`.
//!
//! See Documentation/admin-guide/binfmt-misc.rst.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file of a format that is registered with binfmt_misc",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "M::EXETRAIL::/usr/bin/cat:")?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
