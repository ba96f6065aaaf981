//! A script that has `env` find its interpreter.
//!
//! Two programs start in one process: the kernel executes env, and env looks bash up in `PATH` and executes it, with a
//! second point of no return. comm is the script's name under env and bash's own afterwards, because the kernel takes
//! it from the path that was executed last (`begin_new_exec`). The kernel opens the script in the first exec. In the
//! second, bash opens it, as its argument.
//!
//! See env(1), execve(2).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "script that finds its interpreter by env",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let script = system.script("env.sh", "#!/usr/bin/env bash\n:\n")?;
    system.observe(&Exec::path(script)?)?;
    Ok(())
}
