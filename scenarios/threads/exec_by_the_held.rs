//! A thread that is not the leader executes a program and is held at it, while the leader renames itself and goes on.
//!
//! All threads have one exe, because they share one memory. The leader's comm is whatever one of them says. Only after the point
//! of no return is there one thread, with the process's ID and the program's name.
//!
//! See `start/thread`, and execve(2).

use nix::errno::Errno;

use crate::scenario::{Exec, Scenario, System, beside, its_turn, open};

pub const SCENARIO: Scenario = Scenario {
    summary: "the leader renames itself while a thread's exec is held",
    unpredicted: Some("a sibling renames the process while it is held"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("later", b"", 0o644)?;
    let exec = Exec::by("execve in a thread", "/usr/bin/true", |args| {
        let leader = || {
            its_turn()?;
            std::fs::write("/proc/self/comm", "renamed").map_err(|_| Errno::EIO)?;
            open("/tmp/later")?;
            // The exec ends it.
            loop {
                std::thread::park();
            }
        };
        beside("worker", || args.execve(), leader)
    })?;
    system.answered_late(&exec, 1, 2)?;
    Ok(())
}
