//! Scripts nested exactly as deep as the kernel follows: five scripts, which is four recursions,
//! and the program.
//!
//! See [c:execve-four-recursions]; `exec_binprm` in fs/exec.c; `start/script_too_deep` for more.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script nested as deep as the kernel follows",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.script("level0", "#!/usr/bin/true\n")?;
    for level in 1..5 {
        system.script(
            &format!("level{level}"),
            &format!("#!/tmp/level{}\n", level - 1),
        )?;
    }
    system.observe(&Exec::path("/tmp/level4")?)?;
    Ok(())
}
