//! Of the pending signals of timers only those of POSIX timers are cleared; SIGALRM, SIGVTALRM and
//! SIGPROF of interval timers stay pending, where none of a POSIX timer was pending before them.
//!
//! `flush_itimer_signals` (kernel/signal.c), which exec calls with `exit_itimers`, takes what has
//! `si_code` `SI_TIMER` out of both queues, and that is what timer_create(2) sends, by whatever
//! signal. In spite of the function's name the signals of setitimer(2) have another code: `it_real_fn`
//! and `check_cpu_itimer` send them with `SEND_SIG_PRIV`, whose code is `SI_KERNEL`. One of
//! these that finds its number pending for the process is not queued (`legacy_queue`), and stays or goes with what is: behind SIGALRM of a
//! POSIX timer that of setitimer(2) is lost, in experiments outside of this suite on 5.10, 6.12, 6.18 and 7.3. Where the POSIX timer sent its
//! own to a thread (`SIGEV_THREAD_ID`), that of setitimer(2) is queued, and stays.
//!
//! So the three signals that the specification names stay here where interval timers sent them; of POSIX timers
//! go SIGALRM and one that it does not name (SIGUSR1). Each trigger waits until its signal is pending, and a
//! call that fails shows that it is.
//!
//! See setitimer(2), timer_create(2) and `begin_new_exec` in fs/exec.c.

use anyhow::Result;
use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs, until_pending};
use crate::sys::{self, Interval};

pub const SCENARIO: Scenario = Scenario {
    summary: "which pending signals of timers are cleared",
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
