//! A successful exec sends SIGTRAP to a traced process only when it is traced in the old way. The process stops on that signal
//! only when it does not block it.
//!
//! `ptrace_event` (include/linux/ptrace.h) sends SIGTRAP to a process whose tracing began with `PTRACE_ATTACH` or
//! `PTRACE_TRACEME` and whose tracer did not ask for `PTRACE_O_TRACEEXEC`. A process traced by `PTRACE_SEIZE` gets none: the
//! legacy report is for processes whose flags are `PT_PTRACED` without `PT_SEIZED`. With the option the process stops with an
//! event (`PTRACE_EVENT_EXEC`) inside the call, and gets no signal.
//!
//! This SIGTRAP is an ordinary signal, not a stop. While it is blocked it is pending and stops nothing, and a program that leaves
//! it blocked runs to its end. Of the two conditions the specification states the first, as `PTRACE_ATTACH` or `PTRACE_TRACEME`.
//!
//! See [c:ptrace-execve].

use nix::libc;

use crate::scenario::{Evidence, Exec, Hold, Scenario, System, traced};
use crate::subject::say;
use crate::sys;

pub const SCENARIO: Scenario = Scenario {
    summary: "a process traced in the old way, without the event, gets SIGTRAP",
    run,
    ..Scenario::DEFAULT
};

/// Name, hold, and what the child does before its call.
type Case = (&'static str, Hold, fn() -> nix::Result<()>);

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("signal/sigtrap_traced");
    let seen = system.look(
        "a call that fails",
        &held("/tmp/none", Hold::TraceMe, || Ok(()))?,
    )?;
    claim.control("a call that fails", "exit 2", seen.found("stops")?)?;
    let wanted = "stop by SIGTRAP, exit 0";
    let blocked = || sys::block(libc::SIGTRAP);
    let cases: [Case; 3] = [
        ("PTRACE_ATTACH", Hold::Attach, || Ok(())),
        ("PTRACE_TRACEME", Hold::TraceMe, || Ok(())),
        (
            "PTRACE_TRACEME with PTRACE_O_TRACEEXEC",
            Hold::TraceMeExec,
            || Ok(()),
        ),
    ];
    for (what, hold, before) in cases {
        let seen = system.look(what, &held("/usr/bin/true", hold, before)?)?;
        claim.stated(what, wanted, seen.found("stops")?);
    }
    let untraced = Exec::path("/tmp/reporter")?.reports(&["pending"])?;
    let untraced = untraced.before(move || Ok(blocked()?));
    let what = "not traced, SIGTRAP blocked: pending";
    let seen = system.look(what, &untraced)?;
    claim.control(what, "none", seen.found("pending")?)?;
    let what = "PTRACE_TRACEME, SIGTRAP blocked: pending";
    let traced = held("/tmp/reporter", Hold::TraceMe, blocked)?.reports(&["pending"])?;
    let seen = system.look(what, &traced)?;
    claim.stated(what, "SIGTRAP", seen.found("pending")?);
    for (what, hold) in [
        ("PTRACE_SEIZE", Hold::Seize),
        ("PTRACE_SEIZE with PTRACE_O_TRACEEXEC", Hold::SeizeExec),
    ] {
        let seen = system.look(what, &held("/usr/bin/true", hold, || Ok(()))?)?;
        system.fact(what, seen.found("stops")?)?;
    }
    system.verdict(&claim)
}

fn held(path: &str, hold: Hold, before: fn() -> nix::Result<()>) -> anyhow::Result<Exec> {
    Exec::by("traced execve", path, move |args| {
        let stops = traced(hold, || before().and_then(|()| args.execve()));
        let told = stops.map_or_else(|error| format!("{error:#}"), |stops| stops.join(", "));
        // A child that cannot say it has said nothing, and the scenario misses its line.
        let _ = say("stops", told);
        Ok(())
    })
}
