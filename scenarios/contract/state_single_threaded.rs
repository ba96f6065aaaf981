//! One thread is left after the exec, whichever called, and it is the leader then.
//!
//! When a thread other than the leader calls, `de_thread` (fs/exec.c) waits until the leader is a zombie, takes its ID, start
//! time and place, and releases it. A leader that has ended before is such a zombie already, and the exec works all the same.
//! Until the exec `/proc/PID/exe` leads nowhere, because it is the leader's, and the leader has no memory any more;
//! `/proc/PID/task/TID/exe` of the calling thread still leads to the program (`threads/leader_has_ended`).
//!
//! See [c:ptrace-execve].

use nix::errno::Errno;

use crate::scenario::{Args, Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "of several threads one is left, and it is the leader",
    run,
    ..Scenario::DEFAULT
};

/// Name and call.
type Call = (&'static str, fn(&Args<'_>) -> nix::Result<()>);

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("state/single_threaded");
    let calls: [Call; 3] = [
        ("the leader calls", by_leader),
        ("another thread calls", |args| {
            args.execve_in_thread("worker")
        }),
        ("another thread calls, the leader has ended", behind_leader),
    ];
    for (what, call) in calls {
        let exec = Exec::by(what, "/tmp/reporter", call)?.reports(&["threads", "leader"])?;
        let seen = system.look(what, &exec)?;
        claim.stated(&format!("{what}: threads"), "1", seen.found("threads")?);
        claim.stated(
            &format!("{what}: it is the leader"),
            "yes",
            seen.found("leader")?,
        );
    }
    let failing = Exec::by("the leader calls", "/tmp/none", by_leader)?.reports(&["threads"])?;
    let seen = system.look("the leader's call fails", &failing)?;
    claim.control("the leader's call fails", "2", seen.found("threads")?)?;
    system.verdict(&claim)
}

fn by_leader(args: &Args<'_>) -> nix::Result<()> {
    let thread = std::thread::Builder::new().spawn(|| {
        loop {
            std::thread::park();
        }
    });
    thread.map_err(|_| Errno::EAGAIN)?;
    args.execve()
}

/// Makes the call from a thread when the leader is a zombie.
fn behind_leader(args: &Args<'_>) -> nix::Result<()> {
    std::thread::scope(|scope| {
        let call = || {
            // `/proc/self` is the leader.
            let gone = || {
                let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
                stat.contains(") Z ")
            };
            while !gone() {
                std::thread::yield_now();
            }
            args.execve()
        };
        let thread = std::thread::Builder::new().spawn_scoped(scope, call);
        thread.map_err(|_| Errno::EAGAIN)?;
        sys::end_thread()
    })
}
