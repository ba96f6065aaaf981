//! A program that starts itself again through `/proc/self/exe`.
//!
//! The kernel follows the link to the very file: permission events and exe show the file's path. comm gives the start
//! away: the kernel takes `exe` from the path that was executed.
//!
//! See proc_pid_exe(5).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program started again through /proc/self/exe",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let bash = Exec::path("/usr/bin/bash")?.arg("-c")?;
    system.observe(&bash.arg("exec /proc/self/exe -c :")?)?;
    Ok(())
}
