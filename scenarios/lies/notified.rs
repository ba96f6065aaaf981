//! A seccomp filter of the caller's own takes the exec from the tracer's filter.
//!
//! When several filters answer, the answer with the highest rank counts, and `SECCOMP_RET_USER_NOTIF` ranks before
//! `SECCOMP_RET_TRACE` (`seccomp_run_filters` in kernel/seccomp.c). So a thread that installs a filter of the first kind has its
//! exec reported to a listener, here its sibling, which lets the exec go on. The tracer, whose filter asked for a stop, gets none
//! at the call. This needs no privilege, only `no_new_privs` (a user does it in `policy/untraced_child`).
//!
//! Finding: on no kernel does a tracer that relies on its filter alone hear of such a call. `PTRACE_O_TRACEEXEC` still reports an
//! exec when it has succeeded, and nothing of one that fails.
//!
//! See seccomp(2), seccomp_unotify(2).

use crate::scenario::{Args, Exec, Scenario, System, beside, needs};
use crate::sys::notify_of_execs;

pub const SCENARIO: Scenario = Scenario {
    summary: "the caller's own filter keeps the exec from a tracer's",
    needs: &[needs::SECCOMP_FILTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("execve under two filters", "/usr/bin/true", silence)?;
    system.observe(&exec)?;
    Ok(())
}

fn silence(args: &Args<'_>) -> nix::Result<()> {
    let (give, take) = std::sync::mpsc::channel();
    let listener = move || {
        let notices: crate::sys::Notices = take.recv().map_err(|_| nix::errno::Errno::EPIPE)?;
        notices.let_one_go()?;
        // The exec ends it.
        loop {
            std::thread::park();
        }
    };
    // The sibling starts before the filter is there: the filter is the leader's alone.
    let call = || {
        let notices = notify_of_execs()?;
        give.send(notices).map_err(|_| nix::errno::Errno::EPIPE)?;
        args.execve()
    };
    beside("listener", listener, call)
}
