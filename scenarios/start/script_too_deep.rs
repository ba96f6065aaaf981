//! Scripts nested deeper than the kernel follows.
//!
//! The kernel opens seven levels of eight, and asks the listener for them, before it notices: it checks the depth when
//! the next round begins (`exec_binprm` in fs/exec.c: `if (depth > 5) return -ELOOP`). The caller gets ELOOP and is
//! still itself. A policy sees an `execute` of seven scripts, none of which ever ran.
//!
//! See execve(2), ELOOP, and [c:execve-four-recursions]; `start/script_deepest` for what is still
//! followed.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script nested deeper than the kernel follows",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.script("level0", "#!/usr/bin/true\n")?;
    for level in 1..8 {
        system.script(
            &format!("level{level}"),
            &format!("#!/tmp/level{}\n", level - 1),
        )?;
    }
    system.observe(&Exec::path("/tmp/level7")?)?;
    Ok(())
}
