//! Exec resets signal handlers to the default, but not the signal state as a whole: ignored signals stay ignored, blocked signals
//! stay blocked, and pending signals stay pending.
//!
//! Two exceptions: `contract/signal_pending_cleared` names pending signals that go, and with SELinux all three states go at a
//! change of domain without the permission `siginh` (`selinux_bprm_committed_creds`).
//!
//! Each has a scenario of its own (`contract/signal_handlers_reset`, `signal_ignored_kept`, `signal_mask_kept`,
//! `signal_pending_cleared`); here one exec has all of them. The specification contradicts itself: another of its claims is that
//! ignored signals stay ignored, and that one holds.
//!
//! The second trigger is an exec by another thread.
//!
//! See `flush_signal_handlers` in kernel/signal.c and signal(7).

use nix::libc;
use nix::sys::signal::{SigHandler, Signal};

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "handlers become default, the signal state as a whole does not",
    run,
    ..Scenario::DEFAULT
};

const FIELDS: [&str; 3] = ["caught", "ignored", "shared-pending"];

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("state/signals");
    let seen = system.look("nothing changed", &Exec::path(&reporter)?.reports(&FIELDS)?)?;
    for field in FIELDS {
        claim.control(field, "none", seen.found(field)?)?;
    }
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    for (what, exec) in [
        ("the leader calls", Exec::path(&reporter)?),
        ("a thread calls", thread),
    ] {
        let exec = exec.reports(&FIELDS)?.before(|| {
            sys::dispose(Signal::SIGTERM, sys::handled())?;
            sys::dispose(Signal::SIGHUP, SigHandler::SigIgn)?;
            sys::block(libc::SIGUSR1)?;
            Ok(sys::queue(libc::SIGUSR1, 0)?)
        });
        let seen = system.look(what, &exec)?;
        let names = ["SIGTERM handled", "SIGHUP ignored", "SIGUSR1 pending"];
        for (field, name) in FIELDS.into_iter().zip(names) {
            claim.stated(&format!("{what}: {name}"), "none", seen.found(field)?);
        }
    }
    system.verdict(&claim)
}
