//! A script whose interpreter is a script itself.
//!
//! Under the exe of the caller the kernel opens four files, one after the other, each with `execute` and `open`: the
//! script, its interpreter, that one's interpreter, and the ELF interpreter of the last. (`exec_binprm` in fs/exec.c
//! goes round once for each of the first three; `load_elf_binary` opens the fourth in the third round.) comm is the
//! name of the first script. Of the first three files only the last becomes exe. bash then opens the inner script,
//! which it was given as its argument.
//!
//! See [c:execve-script-of-script].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script whose interpreter is a script",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.script("inner", "#!/usr/bin/bash\n:\n")?;
    let outer = system.script("outer", "#!/tmp/inner\n")?;
    system.observe(&Exec::path(outer)?)?;
    Ok(())
}
