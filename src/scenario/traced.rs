//! An exec under ptrace(2), as the tracer sees it.

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{pipe2, read, write};

use crate::sys::{self, ForkResult};

/// How the tracer holds who makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `PTRACE_TRACEME` of the child, without options.
    TraceMe,
    /// The same with `PTRACE_O_TRACEEXEC`, set while the child stops itself.
    TraceMeExec,
    /// `PTRACE_ATTACH`, without options.
    Attach,
    /// `PTRACE_SEIZE`, without options.
    Seize,
    /// `PTRACE_SEIZE` with `PTRACE_O_TRACEEXEC`.
    SeizeExec,
}

/// So many stops are let go on: a signal that is taken away may come again for ever.
const MOST: usize = 3;

/// Forks a child that makes this call, traces it to its end, and returns its stops in words. No signal is passed on; who stops
/// three times is killed.
///
/// # Errors
///
/// The child cannot be forked or traced.
pub fn traced(hold: Hold, call: impl FnOnce() -> nix::Result<()>) -> Result<Vec<String>> {
    let (gate, open) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let child = match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            drop(open);
            let ready = match hold {
                Hold::TraceMe => ptrace::traceme().is_ok(),
                Hold::TraceMeExec => ptrace::traceme()
                    .and_then(|()| raise(Signal::SIGSTOP))
                    .is_ok(),
                Hold::Attach | Hold::Seize | Hold::SeizeExec => read(&gate, &mut [0]) == Ok(1),
            };
            match ready {
                true => sys::exit_now(call().err().map_or(98, |errno| errno as i32)),
                false => sys::exit_now(97),
            }
        }
        ForkResult::Parent { child } => child,
    };
    let options = match hold {
        Hold::TraceMe | Hold::Attach | Hold::Seize => ptrace::Options::empty(),
        Hold::TraceMeExec | Hold::SeizeExec => ptrace::Options::PTRACE_O_TRACEEXEC,
    };
    match hold {
        Hold::TraceMe => {}
        Hold::TraceMeExec => {
            waitpid(child, Some(WaitPidFlag::__WALL)).context("failed to wait")?;
            ptrace::setoptions(child, options).context("failed to set options")?;
            ptrace::cont(child, None).context("failed to let it go on")?;
        }
        Hold::Attach => {
            ptrace::attach(child).context("failed to attach")?;
            waitpid(child, Some(WaitPidFlag::__WALL)).context("failed to wait")?;
            ptrace::cont(child, None).context("failed to let it go on")?;
            write(&open, &[1]).context("failed to open the gate")?;
        }
        Hold::Seize | Hold::SeizeExec => {
            ptrace::seize(child, options).context("failed to seize")?;
            write(&open, &[1]).context("failed to open the gate")?;
        }
    }
    let mut stops = Vec::new();
    loop {
        match waitpid(child, Some(WaitPidFlag::__WALL)).context("failed to wait")? {
            WaitStatus::Stopped(_, signal) => stops.push(format!("stop by {signal}")),
            WaitStatus::PtraceEvent(_, _, 4) => stops.push("event exec".to_owned()),
            WaitStatus::Exited(_, status) => {
                stops.push(format!("exit {status}"));
                return Ok(stops);
            }
            WaitStatus::Signaled(_, signal, _) => {
                stops.push(format!("killed by {signal}"));
                return Ok(stops);
            }
            other => stops.push(format!("{other:?}")),
        }
        match stops.len() < MOST {
            true => ptrace::cont(child, None).context("failed to let it go on")?,
            false => kill(child, Signal::SIGKILL).context("failed to kill")?,
        }
    }
}
