//! A format of binfmt_misc with the flag `O` whose interpreter is a script: ENOEXEC.
//!
//! The flag passes a descriptor of the file to the interpreter. When the script in turn has an interpreter, there would
//! be two files to pass, and `exec_binprm` gives up (`bprm->executable` is set already). By then the kernel has opened
//! both interpreters. Without the flag the exec works (`start/binfmt_misc_script`).
//!
//! See Documentation/admin-guide/binfmt-misc.rst; `exec_binprm` in fs/exec.c.

use crate::scenario::{Exec, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "binfmt_misc flag O, and the interpreter is a script: ENOEXEC",
    needs: &[needs::OWN_SETTINGS, needs::BINFMT_MISC],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("interpret.sh", "#!/usr/bin/bash\n:\n")?;
    system.format("exetrail", &format!("M::EXETRAIL::{}:O", script.display()))?;
    let file = system.script("data", "EXETRAIL\n")?;
    system.observe(&Exec::path(file)?)?;
    Ok(())
}
