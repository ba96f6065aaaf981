//! Of what is said to be cleared, exec clears the alternate stack, POSIX timers and the pending signals of these timers. It keeps
//! a pending SIGUSR1 and interval timers.
//!
//! `begin_new_exec` resets `sas_ss_sp` and reaches `exit_itimers`, which in spite of its name deletes only the timers of
//! timer_create(2). An armed timer of setitimer(2) goes on in the new program: POSIX wants it so, for alarm(2).
//! `contract/signal_pending_cleared` has more on pending signals, `contract/signal_timer_signals_cleared` on those of timers.
//!
//! The second trigger is a start by another thread, with an alternate stack of its own. Rust's library gives each thread
//! one already; the scenario recognises the one that it has set by its size.
//!
//! See [c:execve-attributes], which lists POSIX timers as not preserved and is silent on interval timers, and [c:setitimer-kept].

use std::path::Path;

use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, in_thread, needs};
use crate::subject::say_state;
use crate::sys::{self, Interval};

pub const SCENARIO: Scenario = Scenario {
    summary: "POSIX timers and alternate stack are cleared, interval timers stay",
    needs: &[needs::PROC_TIMERS],
    run,
    ..Scenario::DEFAULT
};

/// The size of the alternate stack that the scenario sets.
const OURS: &str = "65536";

const FIELDS: [&str; 4] = ["shared-pending", "timers", "posix-timers", "altstack"];

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("effect/cleared");
    let seen = system.look("a call that fails", &loaded(Exec::path("/tmp/none")?)?)?;
    for (field, value) in FIELDS.into_iter().zip(["SIGUSR1", "real", "1", OURS]) {
        claim.control(field, value, seen.found(field)?)?;
    }
    let failing = in_a_thread(Path::new("/tmp/none"))?;
    let seen = system.look("a call of a thread that fails", &failing)?;
    claim.control("of a thread", OURS, seen.found("altstack")?)?;
    for (what, exec) in [
        ("the leader calls", Exec::path(&reporter)?),
        ("a thread calls", in_a_thread(&reporter)?),
    ] {
        let seen = system.look(what, &loaded(exec)?)?;
        let names = [
            "pending SIGUSR1",
            "setitimer",
            "timer_create",
            "alternate stack",
        ];
        let wanted = ["none", "none", "0", "none"];
        for ((field, name), wanted) in FIELDS.into_iter().zip(names).zip(wanted) {
            claim.stated(&format!("{what}: {name}"), wanted, seen.found(field)?);
        }
    }
    system.verdict(&claim)
}

fn loaded(exec: Exec) -> anyhow::Result<Exec> {
    let exec = exec.reports(&FIELDS)?;
    Ok(exec.before(|| {
        sys::block(libc::SIGUSR1)?;
        sys::queue(libc::SIGUSR1, 0)?;
        sys::arm_interval(Interval::Real, 3_600_000_000)?;
        sys::arm_timer(libc::SIGUSR2, 3_600_000_000_000)?;
        Ok(sys::set_alternate_stack()?)
    }))
}

/// A start by a thread that gives itself an alternate stack; when its call has failed, it says what stack it has.
fn in_a_thread(path: &Path) -> anyhow::Result<Exec> {
    Exec::by("execve in a thread", path, |args| {
        in_thread("t", || {
            sys::set_alternate_stack()?;
            let failed = args.execve();
            // Where this fails, nothing was said, and the scenario notices.
            let _ = say_state("altstack");
            failed
        })
    })
}
