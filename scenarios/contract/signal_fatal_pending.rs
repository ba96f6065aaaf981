//! SIGKILL that arrives while the start opens its files makes the call fail and the process ends by it. A
//! signal that is fatal and dumps core does not: the start succeeds, and the new program dies of it
//! before its first instruction.
//!
//! The monitor holds the opening of a file, and the process gets the signal meanwhile. By SIGKILL
//! the wait ends and nothing more is opened: `fatal_signal_pending` (include/linux/sched/signal.h)
//! is true, which asks for SIGKILL in the thread's own queue and nothing else. `complete_signal`
//! (kernel/signal.c) puts it there for every fatal signal except those that dump core
//! (`sig_kernel_coredump`), because all threads must be there for the dump; in a process that is traced for SIGKILL alone. So with SIGQUIT and
//! SIGABRT every check on the way passes: the loader is opened as always, and the signal is acted
//! upon at the return to user space, which is in the new image by then.
//!
//! The other side: a signal that is blocked is not fatal yet, and the new program runs to its end.
//!
//! See signal(7), Term and Core, and `bprm_execve` in fs/exec.c.

use nix::libc;
use nix::sys::signal::Signal;

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a fatal signal that is pending: which makes the call fail",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("signal/fatal_pending");
    let exec = Exec::path("/usr/bin/true")?;
    // Of the program and of its loader: all that is opened before the program runs.
    for nth in 1..=4 {
        try_signal(system, &mut claim, &exec, Signal::SIGKILL, nth)?;
    }
    for signal in [Signal::SIGQUIT, Signal::SIGABRT] {
        try_signal(system, &mut claim, &exec, signal, 1)?;
    }
    let blocked = exec.before(|| {
        sys::block(libc::SIGTERM)?;
        Ok(sys::send_to_thread(libc::SIGTERM)?)
    });
    let seen = system.look("SIGTERM pending and blocked", &blocked)?;
    claim.control("SIGTERM pending and blocked", "exit 0", &seen.how)?;
    system.verdict(&claim)
}

fn try_signal(
    system: &mut System,
    claim: &mut Evidence,
    exec: &Exec,
    signal: Signal,
    nth: usize,
) -> anyhow::Result<()> {
    let seen = system.signalled(exec, signal, nth)?;
    let opens = |nth: usize| format!("signal {signal} in execve after event {nth}");
    let got = format!("{} after event {}", seen.how, seen.events.len());
    claim.stated(&format!("{signal} at event {nth}"), opens(nth), got);
    Ok(())
}
