//! All three interval timers keep running in the new program, whichever thread called.
//!
//! They belong to `signal_struct`, which the process keeps; `exit_itimers`, which exec calls, is about POSIX timers in spite of
//! its name. So alarm(2) before an exec may end the new program later, by a SIGALRM that it did not ask for. The specification
//! lists timers among what is cleared (`contract/effect_cleared`).
//!
//! One exception: SELinux stops them at a change of domain without the permission `siginh` (`clear_itimer`).
//!
//! See [c:setitimer-kept] and [c:alarm-kept].

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys::{self, Interval};

pub const SCENARIO: Scenario = Scenario {
    summary: "interval timers are kept",
    needs: &[needs::POSIX_TIMERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/interval_timers");
    let exec = Exec::path(&reporter)?.reports(&["timers"])?;
    let seen = system.look("none armed", &exec)?;
    claim.control("none armed", "none", seen.found("timers")?)?;
    let kinds = [
        ("real", Interval::Real),
        ("virtual", Interval::Virtual),
        ("profiling", Interval::Profiling),
    ];
    for (name, kind) in kinds {
        let armed = exec
            .clone()
            .before(move || Ok(sys::arm_interval(kind, HOUR)?));
        let seen = system.look(name, &armed)?;
        claim.stated(name, name, seen.found("timers")?);
    }
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    let thread = thread.reports(&["timers"])?;
    let thread = thread.before(|| Ok(sys::arm_interval(Interval::Real, HOUR)?));
    let seen = system.look("real, a thread calls", &thread)?;
    claim.stated("real, a thread calls", "real", seen.found("timers")?);
    system.verdict(&claim)
}

/// In microseconds: none of them expires.
const HOUR: i64 = 3_600_000_000;
