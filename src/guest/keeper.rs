//! The process that makes the pid namespace and outlives everything in it.
//!
//! It is the launcher, executed with the argument `keeper` and these descriptors: 0 tells by its end
//! that it is over, 1 takes the records, 2 complaints; [`LAUNCHER_FD`], [`FIXTURE_FD`], [`PLAN_FD`]
//! and [`SUBJECT_FD`] are files in memory.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2};

use super::cgroup::Cgroup;
use super::root;
use crate::sys::{self, ForkResult};
use crate::wire::until;

/// The launcher, without what is never loaded.
pub const LAUNCHER_FD: i32 = 3;
/// The fixture's archive.
pub const FIXTURE_FD: i32 = 4;
/// The plan, as JSON.
pub const PLAN_FD: i32 = 5;
/// The subject.
pub const SUBJECT_FD: i32 = 6;

/// The entry of the keeper; `seconds` is how long it may take at the most.
#[must_use]
pub fn main(seconds: Option<&str>) -> ExitCode {
    match keep(seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("the native lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn keep(seconds: Option<&str>) -> Result<()> {
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    let seconds = seconds.context("it is started by `exetrail run -k native` alone")?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let cgroup = Cgroup::make()?;
    // Our children are in a pid namespace of their own; we ourselves stay where the cgroup is seen.
    unshare(CloneFlags::CLONE_NEWPID).context("failed to make a pid namespace")?;
    let (gate, opener) = pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
    let first = match sys::fork().context("failed to fork PID 1")? {
        ForkResult::Child => {
            drop(opener);
            let error = match first(&gate) {
                Ok(never) => match never {},
                Err(error) => error,
            };
            tell!("the native lab's PID 1: {error:#}");
            sys::exit_now(1);
        }
        ForkResult::Parent { child } => child,
    };
    let result = cgroup
        .take(first)
        .and_then(|()| nix::unistd::write(&opener, b"g").context("PID 1 is gone"))
        .and_then(|_| wait(first, deadline));
    // Its end is the end of everything in its namespace (`zap_pid_ns_processes`).
    let _ = kill(first, Signal::SIGKILL);
    waitpid(first, None).context("failed to reap PID 1")?;
    result
}

/// Waits until PID 1 has ended, or our standard input has, or the time is over.
fn wait(first: Pid, deadline: Instant) -> Result<()> {
    let ended = sys::pidfd_open(first.as_raw()).context("failed to watch PID 1")?;
    let stdin = std::io::stdin();
    loop {
        let mut fds = [
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, until(deadline)) {
            Ok(0) => bail!("the deadline is over"),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for PID 1"),
        }
    }
}

/// PID 1 of the new namespace, once it is in the cgroup.
fn first(gate: &OwnedFd) -> Result<std::convert::Infallible> {
    sys::die_with_parent().context("failed to tie PID 1 to the keeper")?;
    let mut byte = [0];
    if nix::unistd::read(gate, &mut byte) != Ok(1) {
        bail!("the keeper is gone");
    }
    // Not the keeper's as well: whoever is in the namespace gets the new root with us.
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    unshare(flags).context("failed to make namespaces")?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .context("failed to make mounts private")?;
    let plan = fs::read(format!("/proc/self/fd/{PLAN_FD}")).context("failed to read the plan")?;
    root::enter(&plan)?;
    root::become_runner()
}
