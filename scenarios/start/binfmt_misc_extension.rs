//! A file that binfmt_misc recognises by the extension of its name.
//!
//! The kernel matches the path and not the file (`search_binfmt_handler` looks at `bprm->interp`): a link without the
//! extension does not match. The steps are those of `start/binfmt_misc`.
//!
//! See Documentation/admin-guide/binfmt-misc.rst, type `E`.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "file that binfmt_misc recognises by the extension of its name",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.format("exetrail", "E::ext::/usr/bin/cat:")?;
    let file = system.script("data.ext", "anything\n")?;
    let link = system.link(&file, "plain")?;
    let how = system.attempt(&Exec::path(link)?)?;
    system.fact("a link without the extension", how)?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
