//! What the tours tell of a program's end: SIGCHLD, a zombie without memory, eight bits of status.
//!
//! `exit_mm` gives up the memory, and with it the exe link, before `exit_notify` (kernel/exit.c) tells the parent; what wait(2)
//! asks for is left. After every exec the signal is SIGCHLD, whatever signal the process was created with
//! (`contract/signal_exit_signal`).
//!
//! See wait(2), and proc_pid_exe(5).

use anyhow::Result;
use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::scenario::{Args, Elf, Evidence, Exec, Scenario, System, held};
use crate::subject::say;
use crate::sys::{self, ForkResult};

pub const SCENARIO: Scenario = Scenario {
    summary: "what tours tell of a program's end",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    system.file("good", &Elf::new().build(), 0o755)?;
    let exec = Exec::by("execve and wait", "/tmp/good", |args| watched(args, None))?;
    let seen = system.look("a program that ends with 0", &exec)?;
    let mut claim = Evidence::new("walk-end/signal");
    claim.stated("SIGCHLD to the parent", "pending", seen.found("signal")?);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("walk-end/zombie");
    let running = Exec::by("execve, held", "/usr/bin/cat", |args| {
        let exe = held(args, || Ok(()), |child| Ok(exe_of(child)));
        // A child that cannot say it has said nothing, and the scenario misses its line.
        let _ = say("exe", exe.unwrap_or_else(|error| format!("{error:#}")));
        Ok(())
    })?;
    let what = "a program that still runs";
    let alive = system.look(what, &running)?;
    claim.control(what, "/usr/bin/cat", alive.found("exe")?)?;
    claim.stated("before it is waited for", "Z", seen.found("state")?);
    claim.stated("its exe link", "ENOENT", seen.found("exe")?);
    system.verdict(&claim)?;
    let mut claim = Evidence::new("walk-end/status");
    claim.stated("of 0", "0", seen.found("status")?);
    let exec = Exec::by("exit without a program", "/tmp/good", |args| {
        watched(args, Some(257))
    })?;
    let seen = system.look("a process that ends with 257", &exec)?;
    claim.stated("of 257", "1", seen.found("status")?);
    system.verdict(&claim)
}

/// The exe link of a process, or the errno of reading it.
fn exe_of(child: Pid) -> String {
    std::fs::read_link(format!("/proc/{child}/exe")).map_or_else(
        |error| format!("{:?}", Errno::from_raw(error.raw_os_error().unwrap_or(0))),
        |path| path.display().to_string(),
    )
}

/// Has a child execute the program, or end by itself with this status, and says what is left before it is waited for.
fn watched(args: &Args<'_>, itself: Option<i32>) -> nix::Result<()> {
    sys::block(libc::SIGCHLD)?;
    let child = match sys::fork()? {
        ForkResult::Child => {
            let failed = || args.execve().err().map_or(98, |errno| errno as i32);
            sys::exit_now(itself.unwrap_or_else(failed))
        }
        ForkResult::Parent { child } => child,
    };
    waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
    let pending = sys::is_pending(libc::SIGCHLD)?;
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).map_err(|_| Errno::EIO)?;
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.split(' ').next());
    let exe = exe_of(child);
    let status = match waitpid(child, None)? {
        WaitStatus::Exited(_, status) => status.to_string(),
        other => format!("{other:?}"),
    };
    // A child that cannot say it has said nothing, and the scenario misses its line.
    for (name, value) in [
        ("signal", if pending { "pending" } else { "none" }),
        ("state", state.unwrap_or("none")),
        ("exe", &exe),
        ("status", &status),
    ] {
        let _ = say(name, value);
    }
    Ok(())
}
