//! Exec does not clear pending signals, except those of POSIX timers and of other threads. The others wait for the new program,
//! in the queue of the thread and in that of the process.
//!
//! Nothing in fs/exec.c empties the two queues (`task_struct.pending` and `signal_struct.shared_pending`): `flush_signals` and
//! `flush_sigqueue` have no caller there, and `begin_new_exec` calls `flush_signal_handlers`, which does not touch what is
//! queued. The specification says that all go. That is false for both queues, and the manual page says the opposite:
//! [c:signal-pending-kept].
//!
//! The second trigger shows that the signals are delivered, not only listed: the new program takes them from its queue, with the
//! data that came with them.
//!
//! Finding: two kinds do go. Exec takes signals with the code of POSIX timers (`SI_TIMER`), whoever sent them, out of both queues
//! (`contract/signal_timer_signals_cleared`). A signal that is pending for a thread that does not call ends with that thread
//! (`__exit_signal` up to 6.14, then `release_task`, in 7.2 and 7.3 `exit_signals`), even when the thread is the leader, whose id
//! the caller gets: such a signal was sent to the very thread id that the new program has. SELinux clears all at a change of
//! domain without the permission `siginh` (`selinux_bprm_committed_creds`).
//!
//! See [c:signal-handlers], and `begin_new_exec` in fs/exec.c.

use std::path::Path;

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scenario::{Evidence, Exec, Scenario, System, needs, until_pending};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "pending signals stay, but for those of POSIX timers, other threads",
    needs: &[needs::POSIX_TIMERS],
    run,
    ..Scenario::DEFAULT
};

const FIELDS: [&str; 3] = ["pending", "shared-pending", "queue"];

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("signal/pending_cleared");
    let exec = Exec::path(&reporter)?.reports(&FIELDS)?;
    let seen = system.look("none pending", &exec)?;
    claim.control("none pending", "none", seen.found("queue")?)?;
    let thread = exec.clone().before(|| {
        sys::block(libc::SIGUSR1)?;
        Ok(sys::send_to_thread(libc::SIGUSR1)?)
    });
    let seen = system.look("SIGUSR1 pending for the thread", &thread)?;
    claim.stated(
        "SIGUSR1 pending for the thread",
        "none",
        seen.found("pending")?,
    );
    claim.stated(
        "SIGUSR1 in the thread's queue",
        "none",
        seen.found("queue")?,
    );
    let process = exec.before(|| {
        sys::block(libc::SIGUSR2)?;
        Ok(kill(Pid::this(), Signal::SIGUSR2)?)
    });
    let seen = system.look("SIGUSR2 pending for the process", &process)?;
    claim.stated(
        "SIGUSR2 pending for the process",
        "none",
        seen.found("shared-pending")?,
    );
    let timer = Exec::path(&reporter)?.reports(&FIELDS)?.before(|| {
        sys::block(libc::SIGUSR2)?;
        sys::arm_timer(libc::SIGUSR2, 1)?;
        until_pending(libc::SIGUSR2)
    });
    let what = "SIGUSR2 pending, of a timer of timer_create";
    let seen = system.look(what, &timer)?;
    claim.stated(what, "none", seen.found("shared-pending")?);
    let other = |path: &Path| {
        let exec = Exec::by("execve in a thread", path, |args| {
            sys::block(libc::SIGUSR1)?;
            sys::send_to_thread(libc::SIGUSR1)?;
            args.execve_in_thread("worker")
        });
        exec?.reports(&FIELDS)
    };
    let what = "SIGUSR1 pending for another thread, a call that fails";
    let seen = system.look(what, &other(Path::new("/tmp/none"))?)?;
    claim.control(what, "SIGUSR1", seen.found("pending")?)?;
    let seen = system.look("SIGUSR1 pending for another thread", &other(&reporter)?)?;
    system.fact(
        "pending for a thread that does not call",
        seen.found("pending")?,
    )?;
    system.verdict(&claim)
}
