//! Exec deletes POSIX timers. A call that fails with an errno keeps them.
//!
//! `begin_new_exec` (on 6.12, 7.2 and 7.3 its `posixtimer_exec`) calls `exit_itimers`, which deletes them, after the point of no
//! return (stage `timers` of `start/normal`). Pending signals that they have sent go with them; see
//! `contract/signal_timer_signals_cleared`.
//!
//! See [c:timers-deleted].

use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "POSIX timers are deleted",
    needs: &[needs::PROC_TIMERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("unsaid/posix_timers");
    let armed = |exec: Exec| {
        let exec = exec.reports(&["posix-timers"])?;
        anyhow::Ok(exec.before(|| {
            sys::arm_timer(libc::SIGUSR1, HOUR)?;
            Ok(sys::arm_timer(libc::SIGUSR2, HOUR)?)
        }))
    };
    let seen = system.look(
        "two timers, a call that fails",
        &armed(Exec::path("/tmp/none")?)?,
    )?;
    claim.control("a call that fails", "2", seen.found("posix-timers")?)?;
    let seen = system.look("two timers", &armed(Exec::path(&reporter)?)?)?;
    claim.stated("two timers", "0", seen.found("posix-timers")?);
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    let seen = system.look("two timers, a thread calls", &armed(thread)?)?;
    claim.stated(
        "two timers, a thread calls",
        "0",
        seen.found("posix-timers")?,
    );
    system.verdict(&claim)
}

/// In nanoseconds: none of them expires.
const HOUR: i64 = 3_600_000_000_000;
