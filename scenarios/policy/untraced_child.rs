//! A tracer that a filter calls at each exec (`SECCOMP_RET_TRACE`) does not get every child that has the filter.
//!
//! Each child inherits the filter (`copy_seccomp` in kernel/fork.c). The tracer follows what its tracee starts
//! (`PTRACE_O_TRACEFORK` and its like), but not with `CLONE_UNTRACED` (and no `CLONE_PTRACE`): `kernel_clone` in
//! kernel/fork.c then leaves the tracer out. Any process may pass that flag.
//!
//! The kernel decides what becomes of an exec of that child when the child makes the call (`__seccomp_filter` in
//! kernel/seccomp.c): without a tracer that has asked for `PTRACE_O_TRACESECCOMP` the call fails with ENOSYS. So nobody
//! executes unseen in this way, with two exceptions, in which the program starts and the tracer of the filter hears nothing:
//! - Another process is such a tracer, the child's maker for example.
//! - The child puts on a filter that answers first (`lies/notified`).
//!
//! Finding: whoever relies on such a filter can have it refuse the flag, and clone3(2), which has its flags in memory.
//!
//! Maker and child run as an ordinary user. Our own program gets no instructions here and exits with 2.
//!
//! See clone(2), `CLONE_UNTRACED`; seccomp(2), `SECCOMP_RET_TRACE`; ptrace(2), `PTRACE_O_TRACESECCOMP`.

use std::fs::File;
use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_dumpable;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, pipe, read, setgroups, setresgid, setresuid, write};

use crate::scenario::{Scenario, System, USER, fork_start, needs};
use crate::sys::{self, ForkResult, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "the tracer of a filter does not get a child made with CLONE_UNTRACED",
    needs: &[needs::SECCOMP_FILTER],
    run,
    ..Scenario::DEFAULT
};

/// Events of ptrace(2), by their numbers in include/uapi/linux/ptrace.h.
const EXEC: i32 = 4;
const SECCOMP: i32 = 7;

fn run(system: &mut System) -> Result<()> {
    system.ours("program")?;
    let untraced = sys::fork_untraced;
    let filtered = Options::PTRACE_O_TRACESECCOMP;
    let cases: [(&str, Fork, Own); 5] = [
        ("forked", sys::fork, Own::Nothing),
        ("CLONE_UNTRACED", untraced, Own::Nothing),
        (
            "CLONE_UNTRACED, traced by its maker, who does not ask for such stops",
            untraced,
            Own::Traces(Options::empty()),
        ),
        (
            "CLONE_UNTRACED, traced by its maker, who asks for such stops",
            untraced,
            Own::Traces(filtered),
        ),
        (
            "CLONE_UNTRACED, with a filter of its own that it answers itself",
            untraced,
            Own::Answers,
        ),
    ];
    for (what, fork, own) in cases {
        system.fact(what, told(fork, own)?)?;
    }
    Ok(())
}

/// How a child is made.
type Fork = fn() -> nix::Result<ForkResult>;

/// What comes between the child's exec and the tracer's filter.
#[derive(Clone, Copy, Debug)]
enum Own {
    Nothing,
    /// Its maker traces it, with these options.
    Traces(Options),
    /// A filter of its own ranks before, and a thread of its own lets the call go on.
    Answers,
}

/// Has a process put the filter on and start a child. Says what the tracer of that process hears, what the process
/// hears if it traces the child itself, and how the child ends.
fn told(fork: Fork, own: Own) -> Result<String> {
    let (gate, opener) = pipe().context("failed to make a gate")?;
    let (from, to) = pipe().context("failed to make a pipe")?;
    let maker = fork_start(|| {
        read(&gate, &mut [0])?;
        sys::stop_at_execs()?;
        become_user()?;
        let said = start(fork, own)?;
        File::from(to.try_clone().map_err(|_| Errno::EMFILE)?)
            .write_all(said.as_bytes())
            .map_err(|_| Errno::EPIPE)?;
        sys::exit_now(0)
    })?;
    drop(to);
    let options = Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACESECCOMP;
    ptrace::seize(maker, options).context("failed to seize")?;
    write(&opener, &[1]).context("failed to open the gate")?;
    let (heard, _) = follow(maker, None).context("failed to follow")?;
    let mut said = String::new();
    File::from(from)
        .read_to_string(&mut said)
        .context("failed to read what the maker says")?;
    Ok(format!("its tracer hears {heard}; {said}"))
}

/// What the maker and the child do then takes no privilege.
fn become_user() -> nix::Result<()> {
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    // Who has changed its user may not trace its own child otherwise.
    set_dumpable(true)?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop)
}

/// The maker's part: starts a child, and says what comes of that.
fn start(fork: Fork, own: Own) -> nix::Result<String> {
    let (gate, opener) = pipe()?;
    let child = match fork()? {
        ForkResult::Child => {
            let failed = read(&gate, &mut [0]).and_then(|_| execute(own));
            sys::exit_now(100 + failed.err().map_or(0, |errno| errno as i32))
        }
        ForkResult::Parent { child } => child,
    };
    if let Own::Traces(options) = own {
        ptrace::seize(child, options | Options::PTRACE_O_TRACEEXEC)?;
    }
    write(&opener, &[1])?;
    let (heard, status) = follow(child, Some(child))?;
    let end = match status {
        100.. => format!("errno {:?}", Errno::from_raw(status - 100)),
        _ => format!("exit {status}"),
    };
    Ok(match own {
        Own::Traces(_) => format!("its maker hears {heard}; {end}"),
        Own::Nothing | Own::Answers => end,
    })
}

/// The child's part.
fn execute(own: Own) -> nix::Result<()> {
    let arguments = [c"program".to_owned()];
    let exec = || Invocation::new(&arguments, &[]).execve(c"/tmp/program");
    if !matches!(own, Own::Answers) {
        return exec();
    }
    let notices = sys::notify_of_execs()?;
    std::thread::scope(|scope| {
        // It ends with the exec.
        scope.spawn(|| notices.let_one_go());
        exec()
    })
}

/// What is heard of calls and execs until this process ends, of it alone or of all, and its exit status.
fn follow(until: Pid, of: Option<Pid>) -> nix::Result<(String, i32)> {
    let mut heard = Vec::new();
    loop {
        let (tid, signal) = match waitpid(of, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceEvent(tid, _, SECCOMP) => {
                heard.push("the call");
                (tid, None)
            }
            WaitStatus::PtraceEvent(tid, _, EXEC) => {
                heard.push("the exec");
                (tid, None)
            }
            WaitStatus::PtraceEvent(tid, ..) => (tid, None),
            WaitStatus::Stopped(tid, signal) => (tid, Some(signal)),
            WaitStatus::Exited(tid, status) if tid == until => {
                let heard = heard.join(", ");
                return Ok(match heard.is_empty() {
                    true => ("nothing".to_owned(), status),
                    false => (heard, status),
                });
            }
            _ => continue,
        };
        ptrace::cont(tid, signal)?;
    }
}
