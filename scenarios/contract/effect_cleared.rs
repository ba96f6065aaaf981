//! Of what is said to be cleared, the alternate stack and POSIX timers are, and the timers' pending signals; a
//! pending SIGUSR1 and interval timers are kept.
//!
//! `begin_new_exec` resets `sas_ss_sp` and comes to `exit_itimers`, which in spite of its name deletes the timers of timer_create(2)
//! alone. An armed setitimer(2) goes on in the new program: POSIX wants it so, for alarm(2). Pending signals are in
//! `contract/signal_pending_cleared`.
//!
//! The second trigger for both is a start by another thread. See [c:execve-attributes], which lists
//! POSIX timers as not preserved and is silent on interval timers, and [c:setitimer-kept].

use nix::libc;

use crate::scenario::{Evidence, Exec, Scenario, System, needs};
use crate::sys::{self, Interval};

pub const SCENARIO: Scenario = Scenario {
    summary: "what is cleared of pending signals, timers and the alternate stack",
    needs: &[needs::PROC_TIMERS],
    run,
    ..Scenario::DEFAULT
};

const FIELDS: [&str; 4] = ["shared-pending", "timers", "posix-timers", "altstack"];

fn run(system: &mut System) -> anyhow::Result<()> {
    let reporter = system.ours("reporter")?;
    let mut claim = Evidence::new("effect/cleared");
    let seen = system.look("a call that fails", &loaded(Exec::path("/tmp/none")?)?)?;
    for (field, value) in FIELDS.into_iter().zip(["SIGUSR1", "real", "1", "yes"]) {
        claim.control(field, value, seen.found(field)?)?;
    }
    let thread = Exec::by("execve in a thread", &reporter, |args| {
        args.execve_in_thread("t")
    })?;
    for (what, exec) in [
        ("the leader calls", Exec::path(&reporter)?),
        ("a thread calls", thread),
    ] {
        let seen = system.look(what, &loaded(exec)?)?;
        let names = [
            "pending SIGUSR1",
            "setitimer",
            "timer_create",
            "alternate stack",
        ];
        let wanted = ["none", "none", "0", "no"];
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
