//! While a permission event holds one thread, its sibling renames that thread and itself.
//!
//! The thread `opener` opens a file and is held. A signal tells the leader that the event has come. The leader then gives itself
//! another name, writes one into the opener's `/proc/self/task/TID/comm`, and opens a file of its own. Only when that event has
//! come does the monitor answer the first one.
//!
//! So no comm that is read of a process of several threads is the opener's for sure. The comm of the process is the leader's
//! (`comm=`). The siblings of a thread can write its comm (`thread=`, by `FAN_REPORT_TID`; `comm_write` in fs/proc/base.c asks
//! `same_thread_group`).
//!
//! See fanotify_init(2), `FAN_REPORT_TID`; proc_pid_comm(5).

use nix::errno::Errno;

use crate::scenario::{Args, Exec, Scenario, System, beside, its_turn, open};

pub const SCENARIO: Scenario = Scenario {
    summary: "a sibling renames the process and the thread that is held",
    unpredicted: Some("a sibling renames who is held"),
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("held", b"", 0o644)?;
    system.file("later", b"", 0o644)?;
    let exec = Exec::by("open in a thread", "/tmp/held", rename)?;
    system.answered_late(&exec, 1, 2)?;
    Ok(())
}

fn rename(_: &Args<'_>) -> nix::Result<()> {
    let (tell, told) = std::sync::mpsc::channel();
    let opener = move || {
        tell.send(nix::unistd::gettid()).map_err(|_| Errno::EPIPE)?;
        open("/tmp/held")
    };
    let leader = || {
        let opener = told.recv().map_err(|_| Errno::EPIPE)?;
        its_turn()?;
        let own = "/proc/self/comm".to_owned();
        let other = format!("/proc/self/task/{opener}/comm");
        for (place, name) in [(own, "renamed"), (other, "other")] {
            std::fs::write(place, name).map_err(|_| Errno::EIO)?;
        }
        open("/tmp/later")
    };
    beside("opener", opener, leader)
}
