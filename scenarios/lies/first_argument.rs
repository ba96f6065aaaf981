//! A program that is given another's name as its first argument.
//!
//! argv is the caller's text: nothing compares it with the path (see execve(2)). exe and path are the file's, and the kernel
//! makes comm from the last part of the path in the call (`begin_new_exec` in fs/exec.c). So the lie shows in the arguments
//! alone: in `/proc/PID/cmdline`, in audit's EXECVE record, and in what `ps -f` shows.

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "argv[0] names another program",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.observe(&Exec::path("/usr/bin/true")?.argv(&["/usr/sbin/sshd", "-D"])?)?;
    Ok(())
}
