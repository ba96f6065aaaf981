//! A process sets its own comm, and then executes a program.
//!
//! comm is free text: any process may change its own, by prctl(2) `PR_SET_NAME` or, as here, by writing to
//! `/proc/PID/comm`. What it then opens appears under that name. The exec ends it: comm is the program's again. exe
//! stays true all the time.
//!
//! See proc_pid_comm(5).

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program that changes its comm and then executes another",
    unpredicted: Some("a program names itself"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let command = "echo -n kthreadd > /proc/$$/comm; : < /etc/passwd; exec /usr/bin/true";
    system.observe(&Exec::path("/usr/bin/bash")?.arg("-c")?.arg(command)?)?;
    Ok(())
}
