//! Tries the claims about execveat's parameters, effects and limits.
//!
//! A program finds the same after execveat as after execve, except for its names (`contract/at_errors`):
//!
//! - The kernel resets handlers (`flush_signal_handlers`).
//! - Pending signals stay pending, except for those that `contract/signal_pending_cleared` names.
//! - The umask stays.
//!
//! The specification claims of pending signals:
//!
//! - All are cleared: this is so only of those of POSIX timers.
//! - They are kept unless the new program ignores them: those of POSIX timers are not, and one that is ignored and blocked is.
//!
//! `AT_EXECVE_CHECK` came with [c:execve-check], not with 6.12.
//!
//! `CAP_DAC_OVERRIDE` does not let anybody execute a file without any execute bit (`generic_permission` in fs/namei.c). One bit,
//! whoever it is for, is enough where the caller's user namespace maps the file's owner and group (`capable_wrt_inode_uidgid`).
//!
//! Five scripts may be nested, which is a depth of four (`exec_binprm`).
//!
//! The scenario makes an error past the point of no return while a fatal signal is pending. It sends SIGKILL or SIGTERM while the
//! caller waits in `de_thread` for another thread, which is dead but not yet reaped by its tracer. `bprm_execve` then leaves
//! SIGSEGV out, since SIGKILL is pending; `complete_signal` (kernel/signal.c) makes SIGKILL of this SIGTERM too. The process
//! would end by the sent signal in any case, so the scenario counts two tracepoints: `signal_generate` shows that no SIGSEGV was
//! made, and `sched_process_exec` that no exec has succeeded.
//!
//! See execveat(2), signal(7), capabilities(7).

use std::ffi::CStr;

use anyhow::Context as _;
use nix::fcntl::OFlag;
use nix::libc::{self, AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use nix::sys::ptrace;
use nix::sys::signal::{SigHandler, Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};

use crate::scenario::{
    Elf, Evidence, Exec, Execs, Flaw, Pair, Scenario, System, needs, reap, running_kernel,
    until_pending,
};
use crate::subject::say;
use crate::sys::{self, AT_EXECVE_CHECK, Passes};

pub const SCENARIO: Scenario = Scenario {
    summary: "claims about execveat's parameters, effects and limits",
    needs: &[needs::EXEC_COUNTER, needs::POSIX_TIMERS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    system.file("directory/good", &Elf::new().build(), 0o755)?;
    system.file("nobody", &Elf::new().build(), 0o644)?;
    system.file("somebody", &Elf::new().build(), 0o654)?;
    system.file("far", &Elf::new().flaw(Flaw::Address).build(), 0o755)?;
    parameters(system)?;
    effects(system)?;
    limits(system)
}

fn at(what: &str, fd: i32, path: &std::ffi::CStr, flags: i32) -> anyhow::Result<Exec> {
    Exec::at("execveat", what, fd, path, flags)
}

fn parameters(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("at-parameter/descriptor");
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let good = c"/tmp/directory/good";
    let below = at("good below fd 5", 5, c"good", 0)?.opened(5, "/tmp/directory", directory);
    let itself = at("fd 5", 5, c"", AT_EMPTY_PATH)?;
    let itself = itself.opened(5, "/tmp/directory/good", OFlag::O_PATH);
    for (what, exec) in [
        ("relative to a descriptor", below),
        (
            "absolute, with a descriptor that is not open",
            at("absolute", 50, good, 0)?,
        ),
        (
            "relative to AT_FDCWD",
            at("relative", AT_FDCWD, c"tmp/directory/good", 0)?,
        ),
        ("empty", itself.clone()),
    ] {
        claim.stated(what, "exit 0", system.case(what, &exec)?);
    }
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-parameter/flags");
    let both = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    let what = "both flags, with a path";
    claim.stated(
        what,
        "exit 0",
        system.case(what, &at(what, AT_FDCWD, good, both)?)?,
    );
    let what = "both flags, with a descriptor";
    let exec = at("fd 5", 5, c"", both)?.opened(5, "/tmp/directory/good", OFlag::O_PATH);
    claim.stated(what, "exit 0", system.case(what, &exec)?);
    let what = "a flag that is not known";
    let exec = at(what, AT_FDCWD, good, libc::AT_NO_AUTOMOUNT)?;
    claim.stated(what, "errno EINVAL", system.case(what, &exec)?);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-parameter/check");
    // The program exits with 1 where it starts, the caller with 0 where the call returns.
    let fails = |what, flags| {
        let exec = at(what, AT_FDCWD, c"/usr/bin/busybox", flags)?;
        exec.argv(&["false"])
    };
    let what = "a program that exits with 1";
    claim.control(what, "exit 1", system.case(what, &fails(what, 0)?)?)?;
    let what = "AT_EXECVE_CHECK";
    let exec = fails(what, AT_EXECVE_CHECK)?;
    // The claim is about kernels from 6.12 on.
    let claimed = running_kernel().is_some_and(|kernel| kernel.has(&["6.12"]));
    let wanted = if claimed { "exit 0" } else { "errno EINVAL" };
    claim.stated(what, wanted, system.case(what, &exec)?);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-parameter/empty_path");
    claim.control(
        "a regular file",
        "exit 0",
        system.case("fd of a regular file", &itself)?,
    )?;
    for (what, path) in [
        ("fd of a directory", "/tmp/directory"),
        ("fd without the bit", "/tmp/nobody"),
    ] {
        let exec = at("fd 5", 5, c"", AT_EMPTY_PATH)?.opened(5, path, OFlag::O_PATH);
        claim.stated(what, "errno EACCES", system.case(what, &exec)?);
    }
    system.verdict(&claim)
}

fn effects(system: &mut System) -> anyhow::Result<()> {
    let fields = ["pending", "ignored", "caught", "umask"];
    let prepared = |name, path| {
        let exec = at(name, AT_FDCWD, path, 0)?.reports(&fields)?;
        anyhow::Ok(exec.before(|| {
            sys::block(libc::SIGUSR1)?;
            sys::send_to_thread(libc::SIGUSR1)?;
            sys::dispose(Signal::SIGURG, sys::handled())?;
            sys::dispose(Signal::SIGUSR2, SigHandler::SigIgn)?;
            umask(Mode::from_bits_truncate(0o077));
            Ok(())
        }))
    };
    let what = "a pending, a handled, an ignored signal and a umask, a call that fails";
    let before = system.look(what, &prepared("none", c"/tmp/none")?)?;
    let what = "a pending, a handled, an ignored signal and a umask";
    let seen = system.look(what, &prepared("reporter", c"/tmp/reporter")?)?;
    let pending = seen.found("pending")?.to_owned();
    let mut claim = Evidence::new("at-effect/pending_cleared");
    claim.control("a call that fails", "SIGUSR1", before.found("pending")?)?;
    claim.stated("pending for the thread", "none", &pending);
    let waiting = |what, field, prepare: fn() -> anyhow::Result<()>| {
        let exec = at(what, AT_FDCWD, c"/tmp/reporter", 0)?.reports(&[field])?;
        anyhow::Ok(exec.before(prepare))
    };
    let what = "pending, of a timer of timer_create";
    let exec = waiting(what, "shared-pending", || {
        sys::block(libc::SIGUSR2)?;
        sys::arm_timer(libc::SIGUSR2, 1)?;
        until_pending(libc::SIGUSR2)
    })?;
    let timer = system.look(what, &exec)?;
    let timer = timer.found("shared-pending")?;
    claim.stated(what, "none", timer);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-effect/pending_kept");
    claim.stated("pending for the thread", "SIGUSR1", &pending);
    claim.stated(what, "SIGUSR2", timer);
    // The kernel does not throw a blocked signal away, even if it is ignored (`sig_ignored` in kernel/signal.c).
    let what = "pending, and ignored by the new program";
    let exec = waiting(what, "pending", || {
        sys::block(libc::SIGUSR2)?;
        sys::dispose(Signal::SIGUSR2, SigHandler::SigIgn)?;
        Ok(sys::send_to_thread(libc::SIGUSR2)?)
    })?;
    let ignored = system.look(what, &exec)?;
    claim.stated(what, "none", ignored.found("pending")?);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-effect/handlers_reset");
    claim.control("a call that fails", "SIGURG", before.found("caught")?)?;
    claim.stated("handlers", "none", seen.found("caught")?);
    claim.stated("ignored", "SIGUSR2", seen.found("ignored")?);
    system.verdict(&claim)?;
    let kept = seen.found("umask")?.to_owned();
    let mut claim = Evidence::new("at-effect/umask_kept");
    claim.stated("umask", "0077", &kept);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-effect/little_kept");
    claim.stated("umask", "0022", &kept);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-effect/failure_past");
    let what = "a segment outside of user space";
    let how = system.case(what, &at(what, AT_FDCWD, c"/tmp/far", 0)?)?;
    claim.stated(what, "signal SIGSEGV in execve", how);
    let (good, far) = (c"/tmp/directory/good", c"/tmp/far");
    let what = "another thread is waited for, no signal";
    let seen = system.look(what, &waiting_for_thread(good, None)?)?;
    claim.control(what, "exit 0; execs: 1, SIGSEGV: 0", seen.found("end")?)?;
    let what = "another thread is waited for, a segment outside of user space";
    let seen = system.look(what, &waiting_for_thread(far, None)?)?;
    let forced = "signal SIGSEGV; execs: 0, SIGSEGV: 1";
    claim.control(what, forced, seen.found("end")?)?;
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let what = format!("another thread is waited for, {signal} is pending");
        let seen = system.look(&what, &waiting_for_thread(good, Some(signal))?)?;
        let wanted = format!("signal {signal}; execs: 0, SIGSEGV: 0");
        claim.stated(&what, wanted, seen.found("end")?);
    }
    system.verdict(&claim)
}

/// A start that waits for the end of another thread and gets a signal there. Its parent says how it ended, and what was counted
/// until then.
fn waiting_for_thread(path: &'static CStr, signal: Option<Signal>) -> anyhow::Result<Exec> {
    let what = path.to_string_lossy().into_owned();
    Exec::by("execveat beside a thread", what, move |args| {
        let killed = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::__WALL;
        let end = || {
            let pair = Pair::fork(|| args.execveat(AT_FDCWD, path, 0), || Ok(()))?;
            let execs = Execs::of(pair.leader.as_raw());
            let faults = generated(pair.leader.as_raw())?;
            ptrace::seize(pair.other, ptrace::Options::empty())?;
            pair.lead()?;
            // When this returns, the thread is dead and keeps the leader in its call.
            waitid(Id::Pid(pair.other), killed)?;
            signal.map_or(Ok(()), |signal| kill(pair.leader, signal))?;
            waitpid(pair.other, Some(WaitPidFlag::__WALL))?;
            let end = reap(pair.leader)?;
            let (execs, faults) = (execs.have_succeeded()?, faults.count()?);
            anyhow::Ok(format!(
                "{end}; execs: {}, SIGSEGV: {faults}",
                u8::from(execs)
            ))
        };
        // Where this fails, nothing was said, and the scenario notices.
        let _ = say("end", end().unwrap_or_else(|error| format!("{error:#}")));
        Ok(())
    })
}

/// Counts the SIGSEGV that a task makes for itself.
fn generated(task: i32) -> anyhow::Result<Passes> {
    const NUMBER: &str = "/sys/kernel/tracing/events/signal/signal_generate/id";
    let number =
        std::fs::read_to_string(NUMBER).with_context(|| format!("failed to read {NUMBER}"))?;
    Ok(Passes::of_filtered(
        task,
        number.trim().parse()?,
        c"sig == 11",
    )?)
}

fn limits(system: &mut System) -> anyhow::Result<()> {
    let mut claim = Evidence::new("at-limit/dac_override");
    let what = "no execute bit at all, by root";
    claim.stated(
        what,
        "exit 0",
        system.case(what, &at(what, AT_FDCWD, c"/tmp/nobody", 0)?)?,
    );
    let what = "an execute bit for the group alone, by root";
    claim.stated(
        what,
        "exit 0",
        system.case(what, &at(what, AT_FDCWD, c"/tmp/somebody", 0)?)?,
    );
    let what = "an execute bit for the group alone, by root without a capability";
    let without = at(what, AT_FDCWD, c"/tmp/somebody", 0)?;
    let without = without.before(|| Ok(sys::set_capabilities(0, 0, 0)?));
    claim.control(what, "errno EACCES", system.case(what, &without)?)?;
    system.verdict(&claim)?;
    let mut claim = Evidence::new("at-limit/script_depth");
    let mut interpreter = "/tmp/directory/good".to_owned();
    for depth in 1..=6 {
        let path = system.script(&format!("script{depth}"), &format!("#!{interpreter}\n"))?;
        interpreter = path.to_string_lossy().into_owned();
    }
    let what = "five scripts, four of them interpreted by scripts";
    claim.stated(
        what,
        "exit 0",
        system.case(what, &at(what, AT_FDCWD, c"/tmp/script5", 0)?)?,
    );
    let what = "six scripts";
    claim.stated(
        what,
        "errno ELOOP",
        system.case(what, &at(what, AT_FDCWD, c"/tmp/script6", 0)?)?,
    );
    system.verdict(&claim)
}
