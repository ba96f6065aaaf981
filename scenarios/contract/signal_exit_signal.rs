//! After the start the parent gets SIGCHLD when the process ends, whatever signal clone(2) asked for.
//!
//! `de_thread` sets `exit_signal` to SIGCHLD, and its comment says why ([c:exec-domain]). A parent that asked for no signal at
//! all gets one, and need not wait with `__WALL` any more.
//!
//! See [c:clone-termination-signal], and [c:execve-attributes].

use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};

use crate::scenario::{Args, Evidence, Exec, Scenario, System};
use crate::subject::say;
use crate::sys::{self, ForkResult};

pub const SCENARIO: Scenario = Scenario {
    summary: "the exit signal becomes SIGCHLD",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.ours("reporter")?;
    let mut claim = Evidence::new("signal/exit_signal");
    for (name, signal) in [("SIGUSR1", libc::SIGUSR1), ("no signal", 0)] {
        let failing = cloned("/tmp/none", signal)?;
        let what = format!("cloned with {name}, a call that fails");
        let seen = system.look(&what, &failing)?;
        let own = if signal == 0 { "none" } else { "SIGUSR1" };
        claim.control(&what, own, seen.found("parent got")?)?;
        claim.control(&what, "ECHILD", seen.found("without __WALL")?)?;
        let what = format!("cloned with {name}");
        let seen = system.look(&what, &cloned("/tmp/reporter", signal)?)?;
        claim.stated(&what, libc::SIGCHLD, seen.found("exit-signal")?);
        let what = format!("the parent of one cloned with {name}");
        claim.stated(&what, "SIGCHLD", seen.found("parent got")?);
        let what = format!("waited for without __WALL, cloned with {name}");
        claim.stated(&what, "reaped", seen.found("without __WALL")?);
    }
    system.verdict(&claim)
}

/// A start by a child with another exit signal. The parent says which signal it got, and whether it had to wait with `__WALL`.
fn cloned(path: &str, signal: i32) -> anyhow::Result<Exec> {
    let exec = Exec::by("clone and execve", path, move |args| parent(args, signal))?;
    exec.reports(&["exit-signal"])
}

fn parent(args: &Args<'_>, signal: i32) -> nix::Result<()> {
    for signal in [libc::SIGCHLD, libc::SIGUSR1] {
        sys::block(signal)?;
    }
    let child = match sys::fork_with(signal)? {
        ForkResult::Child => {
            let failed = args.execve().err().map_or(98, |errno| errno as i32);
            sys::exit_now(failed)
        }
        ForkResult::Parent { child } => child,
    };
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::__WALL;
    waitid(Id::Pid(child), ended)?;
    let waited = match waitpid(child, None) {
        Ok(_) => "reaped".to_owned(),
        Err(errno) => {
            waitpid(child, Some(WaitPidFlag::__WALL))?;
            format!("{errno:?}")
        }
    };
    let got = match (
        sys::is_pending(libc::SIGCHLD)?,
        sys::is_pending(libc::SIGUSR1)?,
    ) {
        (true, false) => "SIGCHLD",
        (false, true) => "SIGUSR1",
        (false, false) => "none",
        (true, true) => "both",
    };
    // Where this fails, nothing was said, and the scenario notices.
    let _ = say("parent got", got);
    let _ = say("without __WALL", waited);
    Ok(())
}
