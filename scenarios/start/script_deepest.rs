//! Scripts nested exactly as deep as the kernel follows: five scripts, which is four recursions,
//! and the program.
//!
//! See [c:execve-four-recursions]; `exec_binprm` in fs/exec.c; `start/script_too_deep` for more.

use crate::scenario::{Exec, Scenario, Stage};

pub const SCENARIO: Scenario = Scenario {
    summary: "script nested as deep as the kernel follows",
    run,
    ..Scenario::DEFAULT
};

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.script("level0", "#!/usr/bin/true\n")?;
    for level in 1..5 {
        stage.script(
            &format!("level{level}"),
            &format!("#!/tmp/level{}\n", level - 1),
        )?;
    }
    stage.observe(&Exec::path("/tmp/level4")?)?;
    Ok(())
}
