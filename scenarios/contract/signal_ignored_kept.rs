//! Ignored signals stay ignored; handled and default ones are not ignored after the start.
//!
//! `flush_signal_handlers` (kernel/signal.c, called by `begin_new_exec` without `force_default`) leaves `SIG_IGN` alone. POSIX
//! leaves the case of SIGCHLD open; Linux keeps it ignored too. SELinux forces defaults at a change of domain without the
//! permission `siginh` (`selinux_bprm_committed_creds`). A program that the kernel itself starts has the defaults before its exec
//! (`call_usermodehelper_exec_async`).
//!
//! See [c:execve-attributes], and signal(7).

use nix::sys::signal::{SigHandler, Signal};

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "ignored signals stay ignored",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::path(system.ours("reporter")?)?.reports(&["ignored"])?;
    let mut claim = Evidence::new("signal/ignored_kept");
    let seen = system.look("none ignored", &exec)?;
    claim.control("none ignored", "none", seen.found("ignored")?)?;
    for signal in [Signal::SIGUSR1, Signal::SIGCHLD, Signal::SIGPIPE] {
        let what = format!("{signal} ignored");
        let exec = exec.clone().before(move || {
            sys::dispose(signal, SigHandler::SigIgn)?;
            Ok(())
        });
        let seen = system.look(&what, &exec)?;
        claim.stated(&what, signal, seen.found("ignored")?);
    }
    let exec = exec.before(|| {
        sys::dispose(Signal::SIGUSR1, sys::handled())?;
        Ok(())
    });
    let seen = system.look("SIGUSR1 handled", &exec)?;
    claim.control("SIGUSR1 handled", "none", seen.found("ignored")?)?;
    system.verdict(&claim)
}
