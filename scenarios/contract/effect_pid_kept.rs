//! The process keeps its id and session, whichever thread calls.
//!
//! When another thread than the leader calls, `de_thread` (fs/exec.c) swaps the ids of the two (`exchange_tids`): the process
//! keeps its own, and the thread that calls gets another one.
//!
//! The child leads a session before the start, so the session's id is its own. After the start it still is.
//!
//! See [c:execve-threads].

use crate::scenario::{Evidence, Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "the process keeps its id",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("effect/pid_kept");
    let fields = ["session-leader", "leader"];
    let other = Exec::by("execve in a child", &reporter, |args| {
        args.execve_in_child()
    })?;
    let seen = system.look("in a child with an id of its own", &other.reports(&fields)?)?;
    claim.control("another process", "no", seen.found("session-leader")?)?;
    let by_thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    let ways = [
        ("the leader calls", Exec::path(&reporter)?),
        ("another thread calls", by_thread),
        ("by a descriptor", Exec::descriptor(&reporter)?),
    ];
    for (what, exec) in ways {
        let seen = system.look(what, &exec.reports(&fields)?)?;
        claim.stated(what, "yes", seen.found("session-leader")?);
        claim.stated(
            &format!("{what}: the thread's id"),
            "yes",
            seen.found("leader")?,
        );
    }
    system.verdict(&claim)
}
