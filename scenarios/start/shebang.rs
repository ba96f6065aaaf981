//! A script whose first line names its interpreter.
//!
//! The kernel opens the script, reads its first 256 bytes (`prepare_binprm`) and finds the first line in them
//! (`load_script` in fs/binfmt_script.c). It then opens the interpreter (`open_exec`) and that one's ELF interpreter.
//! All this happens under the exe of the caller.
//!
//! exe becomes the interpreter, not the script. comm becomes the script's name, because the kernel takes it from the
//! path that was executed (`begin_new_exec`; by descriptor there is none: `start/script_descriptor`). The interpreter
//! then opens the script a second time, to read it, with an `open` and no `execute`.
//!
//! See [c:execve-scripts].

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script with a #! line",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("hello.sh", "#!/usr/bin/bash\nexit 0\n")?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
