//! Of the pending timer signals, exec clears only those of POSIX timers. SIGALRM, SIGVTALRM and SIGPROF of interval timers stay
//! pending, where no signal of that number from a POSIX timer was pending before them.
//!
//! `flush_itimer_signals` (kernel/signal.c), which exec calls with `exit_itimers`, removes the signals with `si_code` `SI_TIMER`
//! from both queues. timer_create(2) sends that code, with whatever signal. In spite of the function's name, the signals of
//! setitimer(2) have another code: `it_real_fn` and `check_cpu_itimer` send them with `SEND_SIG_PRIV`, whose code is `SI_KERNEL`.
//!
//! A signal of setitimer(2) is not queued when its number is already pending for the process (`legacy_queue`); it then stays or
//! goes with the pending one. Behind a POSIX timer's SIGALRM the one of setitimer(2) is lost, in experiments outside of this
//! suite on 5.10, 6.12, 6.18 and 7.3. Where the POSIX timer sent its SIGALRM to a thread (`SIGEV_THREAD_ID`), the one of
//! setitimer(2) is queued, and stays.
//!
//! So the three signals that the specification names stay here when interval timers sent them. A POSIX timer's SIGALRM goes, and
//! so does its SIGUSR1, which the specification does not name. Each trigger waits until its signal is pending, and a call that
//! fails shows that it is.
//!
//! See setitimer(2), timer_create(2) and `begin_new_exec` in fs/exec.c.

use anyhow::Result;
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs, until_pending};
use crate::sys::{self, Interval};

pub const SCENARIO: Scenario = Scenario {
    summary: "pending signals of POSIX timers are cleared",
    needs: &[needs::POSIX_TIMERS],
    run,
    ..Scenario::DEFAULT
};

/// Name, signal, and what arms the timer.
type Trigger = (&'static str, i32, fn() -> nix::Result<()>);

const TRIGGERS: [Trigger; 5] = [
    ("SIGALRM of setitimer", libc::SIGALRM, || {
        sys::arm_interval(Interval::Real, 1)
    }),
    ("SIGVTALRM of setitimer", libc::SIGVTALRM, || {
        sys::arm_interval(Interval::Virtual, 1)
    }),
    ("SIGPROF of setitimer", libc::SIGPROF, || {
        sys::arm_interval(Interval::Profiling, 1)
    }),
    ("SIGALRM of timer_create", libc::SIGALRM, || {
        sys::arm_timer(libc::SIGALRM, 1)
    }),
    ("SIGUSR1 of timer_create", libc::SIGUSR1, || {
        sys::arm_timer(libc::SIGUSR1, 1)
    }),
];

fn run(system: &mut System) -> Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("signal/timer_signals_cleared");
    for (what, signal, arm) in TRIGGERS {
        let name = nix::sys::signal::Signal::try_from(signal)?;
        let failing = pending("/tmp/none", signal, arm)?;
        let seen = system.look(&format!("{what}, a call that fails"), &failing)?;
        claim.control(what, name, seen.found("shared-pending")?)?;
        let seen = system.look(what, &pending("/tmp/reporter", signal, arm)?)?;
        claim.stated(what, "none", seen.found("shared-pending")?);
    }
    system.verdict(&claim)
}

/// A start with the timer's signal pending.
fn pending(path: &str, signal: i32, arm: fn() -> nix::Result<()>) -> Result<Exec> {
    let exec = Exec::path(path)?.reports(&["shared-pending"])?;
    Ok(exec.before(move || {
        sys::block(signal)?;
        arm()?;
        until_pending(signal)
    }))
}
