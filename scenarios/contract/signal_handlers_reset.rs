//! After the start every signal that had a handler has its default disposition, realtime signals too.
//!
//! `flush_signal_handlers` (kernel/signal.c, called by `begin_new_exec`) puts `SIG_DFL` where anything but `SIG_IGN` is. A call
//! that fails before the point of no return resets none: the caller reports that it still has its own.
//!
//! See [c:execve-attributes], and [c:signal-dispositions].

use std::path::Path;

use nix::sys::signal::Signal;

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "handlers are reset",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("signal/handlers_reset");
    let one = |path: &str| {
        Exec::path(path)?
            .reports(&["caught"])
            .map(|exec| exec.before(|| Ok(sys::dispose(Signal::SIGUSR1, sys::handled())?)))
    };
    let seen = system.look("SIGUSR1 handled, a call that fails", &one("/tmp/none")?)?;
    claim.control("a call that fails", "SIGUSR1", seen.found("caught")?)?;
    let seen = system.look("SIGUSR1 handled", &one("/tmp/reporter")?)?;
    claim.stated("SIGUSR1 handled", "none", seen.found("caught")?);
    let all = |path: &Path| {
        let exec = Exec::path(path)?.reports(&["caught"])?;
        anyhow::Ok(exec.before(|| Ok(sys::handle_all()?)))
    };
    let what = "all signals handled, a call that fails";
    let seen = system.look(what, &all(Path::new("/tmp/none"))?)?;
    let caught = seen.found("caught")?.split(' ').count();
    // All but SIGKILL, SIGSTOP and the two that belong to the C library.
    claim.control(what, 60, caught)?;
    let seen = system.look("all signals handled", &all(&reporter)?)?;
    claim.stated("all signals handled", "none", seen.found("caught")?);
    system.verdict(&claim)
}
