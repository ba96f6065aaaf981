//! One start shows both sides: the signal that had a handler gets its default, and the ignored one stays ignored.
//!
//! `contract/signal_handlers_reset` and `contract/signal_ignored_kept` try each alone.
//!
//! Threads share the table of handlers, so the second trigger is another thread's call. The other threads have ended
//! (`de_thread`) before the handlers are reset. Where another process shares the table (clone(2), `CLONE_SIGHAND` without
//! `CLONE_THREAD`), `unshare_sighand` of fs/exec.c copies it; that is not tried here.
//!
//! See [c:signal-dispositions].

use nix::sys::signal::{SigHandler, Signal};

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "handlers are reset and ignored signals stay ignored, at once",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("effect/handlers");
    let both = |exec: Exec| {
        let exec = exec.reports(&["caught", "ignored"])?;
        anyhow::Ok(exec.before(|| {
            sys::dispose(Signal::SIGUSR1, sys::handled())?;
            Ok(sys::dispose(Signal::SIGUSR2, SigHandler::SigIgn)?)
        }))
    };
    let seen = system.look("a call that fails", &both(Exec::path("/tmp/none")?)?)?;
    claim.control("a call that fails", "SIGUSR1", seen.found("caught")?)?;
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    for (what, exec) in [
        ("by the leader", Exec::path(&reporter)?),
        ("by a thread", thread),
    ] {
        let seen = system.look(what, &both(exec)?)?;
        claim.stated(
            &format!("{what}: SIGUSR1 handled"),
            "none",
            seen.found("caught")?,
        );
        claim.stated(
            &format!("{what}: SIGUSR2 ignored"),
            "SIGUSR2",
            seen.found("ignored")?,
        );
    }
    system.verdict(&claim)
}
