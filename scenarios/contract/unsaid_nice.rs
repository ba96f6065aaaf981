//! The nice value is kept, up and down, also when a set-user-ID file changes who it is.
//!
//! It is the thread's (`task_struct.static_prio`), which exec does not touch (of scheduling it has `sched_exec` choose a CPU). Of
//! several threads it is the caller's value that counts.
//!
//! See [c:nice-kept].

use crate::scenario::{Evidence, Exec, Scenario, System};
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
    system.verdict(&claim)
}
