//! The new program has the mask of blocked signals of the thread that called.
//!
//! The mask is a field of the task (`task_struct.blocked`), which exec does not touch. Nothing in `begin_new_exec` writes it
//! except a hook of SELinux, which empties it at a change of domain without the permission `siginh`
//! (`selinux_bprm_committed_creds`). When a thread other than the leader calls, `de_thread` gives it the leader's id but not the
//! leader's mask.
//!
//! See [c:execve-attributes], and sigprocmask(2).

use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "the mask of blocked signals is kept",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("signal/mask_kept");
    let exec = Exec::path(&reporter)?.reports(&["blocked"])?;
    let seen = system.look("none blocked", &exec)?;
    claim.control("none blocked", "none", seen.found("blocked")?)?;
    let blocking = exec.before(|| {
        sys::block(libc::SIGUSR1)?;
        Ok(sys::block(40)?)
    });
    let seen = system.look("SIGUSR1 and 40 blocked", &blocking)?;
    let wanted = "SIGUSR1 signal-40";
    claim.stated("SIGUSR1 and 40 blocked", wanted, seen.found("blocked")?);
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        std::thread::scope(|scope| {
            let call = || sys::block(libc::SIGUSR2).and_then(|()| args.execve());
            scope.spawn(call).join().unwrap_or(Ok(()))
        })
    })?;
    let thread = thread.reports(&["blocked"])?;
    let seen = system.look("SIGUSR2 blocked by the thread that calls", &thread)?;
    let what = "SIGUSR2 blocked by the thread that calls";
    claim.stated(what, "SIGUSR2", seen.found("blocked")?);
    system.verdict(&claim)
}
