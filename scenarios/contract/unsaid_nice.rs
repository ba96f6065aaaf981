//! Exec keeps the nice value, raised or lowered, also when a set-user-ID file changes the user.
//!
//! The value belongs to the thread (`task_struct.static_prio`), and exec does not touch it. Of several threads the caller's value
//! counts.
//!
//! See [c:nice-kept].

use crate::scenario::{Evidence, Exec, Scenario, System, in_thread};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the nice value is kept",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("unsaid/nice");
    system.ours("plain")?;
    system.ours_with_mode("user", 0o4755)?;
    // The native lab has the value of whoever runs it.
    let plain = Exec::path("/tmp/plain")?.reports(&["nice"])?;
    let seen = system.look("0", &plain.before(|| Ok(sys::set_nice(0)?)))?;
    claim.control("0", "0", seen.found("nice")?)?;
    for (path, value) in [("/tmp/plain", 5), ("/tmp/plain", -5), ("/tmp/user", 7)] {
        let exec = Exec::path(path)?.reports(&["nice"])?;
        let exec = exec.before(move || Ok(sys::set_nice(value)?)).as_user();
        let what = format!("{value}, {path}");
        let seen = system.look(&what, &exec)?;
        claim.stated(&what, value, seen.found("nice")?);
    }
    let threaded = |path: &str| {
        let exec = Exec::by("execve in a thread", path, |args| {
            in_thread("t", || sys::set_nice(7).and_then(|()| args.execve()))
        })?;
        let exec = exec.reports(&["nice"])?;
        anyhow::Ok(exec.before(|| Ok(sys::set_nice(5)?)))
    };
    let what = "5 of the leader, a call of a thread that fails";
    let seen = system.look(what, &threaded("/tmp/none")?)?;
    claim.control(what, "5", seen.found("nice")?)?;
    let what = "5 of the leader, 7 of the thread that calls";
    let seen = system.look(what, &threaded("/tmp/plain")?)?;
    claim.stated(what, "7", seen.found("nice")?);
    system.verdict(&claim)
}
