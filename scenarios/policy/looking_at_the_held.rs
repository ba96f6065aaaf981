//! What another process may do to one that is held at its program or its interpreter: looking does not wait, attaching may.
//!
//! `PTRACE_SEIZE` takes `cred_guard_mutex`, which an exec holds from `prepare_bprm_creds` on (`ptrace_attach` in
//! kernel/ptrace.c, `bprm_execve` in fs/exec.c). Whoever attaches waits if the held process holds that mutex:
//! - Up to 6.7 a process that is held at its program holds it. Since [c:open-first] the kernel opens the program before it
//!   takes the mutex.
//! - On all kernels one that is held at an interpreter holds it, and so does one at the kernel's first read of the program,
//!   about which a listener of `FAN_ACCESS_PERM` is asked.
//! - One that is held at an open of its own does not hold it, and attaching to it does not wait.
//!
//! The scenario counts a sleep inside ptrace(2) as waiting. That the sleep is for this mutex is read in source
//! (`/proc/PID/stack` leaves out the functions of locks). Whoever waits goes on when the exec gives the mutex up
//! (`setup_new_exec`, past the point of no return, or where it fails). One answer is not enough for that: the listener has to
//! answer every event of the exec until then, as it does here.
//!
//! Whoever only looks takes no such lock, or another one: `/proc/PID/` maps, environ, mem, stack, syscall and cmdline,
//! process_vm_readv(2), pidfd_getfd(2). A debugger is no part of a policy, but `strace -p` of a process that a listener holds
//! under that mutex hangs as well.
//!
//! See ptrace(2), `PTRACE_SEIZE`; `cred_guard_mutex` in include/linux/sched/signal.h.

use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::ptrace;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::observer::fanotify::{Class, FanEvent, Group, Ids};
use crate::scenario::{Elf, Listener, Refuses, Scenario, System, answer, fork_start, needs, reap};
use crate::sys::{self, ForkResult, Invocation};

pub const SCENARIO: Scenario = Scenario {
    summary: "looking at a held process does not wait, attaching to it may",
    needs: &[needs::STACKS],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> Result<()> {
    let place = system.directory("watched")?;
    system.mount("tmpfs", "none", &place, "mode=755")?;
    system.file("watched/ld", &Elf::new().build(), 0o755)?;
    let program = Elf::new().interpreter("/tmp/watched/ld").build();
    system.file("watched/program", &program, 0o755)?;
    let exec: Start = || Invocation::new(&[], &[]).execve(c"/tmp/watched/program");
    let open: Start = || {
        open("/tmp/watched/program", OFlag::O_RDONLY, Mode::empty())?;
        sys::exit_now(0)
    };
    // The events: execute and open of the program, its first read where that is watched, then execute of its interpreter.
    for (at, start, more, nth) in [
        ("an open of its own", open, 0, 1),
        ("the program", exec, 0, 1),
        ("the program's first read", exec, ACCESS, 3),
        ("the interpreter", exec, 0, 3),
    ] {
        let place = Watched {
            path: &place,
            start,
            more,
            nth,
        };
        for name in ["maps", "environ", "mem", "stack", "syscall", "cmdline"] {
            let how = place.held(|pid| {
                let file = std::fs::File::open(format!("/proc/{pid}/{name}"));
                let mut some = [0; 8];
                let place = if name == "mem" { own_place() } else { 0 };
                let read = file.and_then(|file| file.read_at(&mut some, place));
                read.map(drop).map_err(|_| Errno::EIO)
            })?;
            system.fact(&format!("held at {at}, {name}"), how)?;
        }
        let how = place.held(|pid| {
            sys::read_memory(pid.as_raw(), own_place() as usize, &mut [0; 8]).map(drop)
        })?;
        system.fact(&format!("held at {at}, process_vm_readv"), how)?;
        let how = place.held(|pid| {
            let process = sys::pidfd_open(pid.as_raw())?;
            sys::pidfd_getfd(process.as_fd(), 0).map(drop)
        })?;
        system.fact(&format!("held at {at}, pidfd_getfd"), how)?;
        let how = place.held(|pid| ptrace::seize(pid, ptrace::Options::empty()))?;
        system.fact(&format!("held at {at}, PTRACE_SEIZE"), how)?;
    }
    Ok(())
}

/// An address of ours, and of a child that has not become a program yet.
fn own_place() -> u64 {
    std::ptr::from_ref(&SCENARIO).addr() as u64
}

/// `FAN_ACCESS_PERM` (include/uapi/linux/fanotify.h).
const ACCESS: u64 = 0x2_0000;

/// What the process does that is held.
type Start = fn() -> nix::Result<()>;

/// Where a start is held.
struct Watched<'a> {
    path: &'a Path,
    start: Start,
    /// What is asked for beside opens.
    more: u64,
    /// At which event, from 1.
    nth: usize,
}

impl Watched<'_> {
    /// Holds a start there and has another process do something to it. Says whether that ended while the start was
    /// held, or only after it was let go.
    fn held(&self, act: impl FnOnce(Pid) -> nix::Result<()>) -> Result<String> {
        let group = Group::new(Ids::Process, Class::Content)?;
        group.watch_filesystem(self.path)?;
        if self.more != 0 {
            group.watch_filesystem_for(self.path, self.more)?;
        }
        let mut listener = Listener {
            name: "",
            group,
            refuses: Refuses::Nothing,
        };
        let start = fork_start(self.start)?;
        for _ in 1..self.nth {
            let event = next(&mut listener.group)?;
            let file = sys::adopt_fd(event.fd);
            listener.group.allow(file.as_fd())?;
        }
        let event = next(&mut listener.group)?;
        let file = sys::adopt_fd(event.fd);
        let other = match sys::fork().context("failed to fork")? {
            ForkResult::Child => {
                sys::exit_now(act(start).map_or_else(|errno| errno as i32, |()| 0))
            }
            ForkResult::Parent { child } => child,
        };
        let at_once = ends(other)?;
        listener.group.allow(file.as_fd())?;
        let end = sys::pidfd_open(start.as_raw()).context("failed to open a pidfd")?;
        loop {
            let mut fds = [
                PollFd::new(end.as_fd(), PollFlags::POLLIN),
                PollFd::new(listener.group.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut fds, PollTimeout::NONE).context("failed to wait for events")?;
            let ended = fds[0].any() == Some(true);
            answer(&mut listener)?;
            if ended {
                break;
            }
        }
        let how = match at_once {
            Some(0) => "answers at once".to_owned(),
            Some(errno) => format!("{:?} at once", Errno::from_raw(errno)),
            // The start may be over before it comes to attach: its errno is not told.
            None => {
                waitpid(other, None).context("failed to wait for who waits")?;
                "waits until the listener has answered".to_owned()
            }
        };
        let end = reap(start)?;
        anyhow::ensure!(end == "exit 0", "the start that was held: {end}");
        Ok(how)
    }
}

/// The next event.
fn next(group: &mut Group) -> Result<FanEvent> {
    let mut fds = [PollFd::new(group.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).context("failed to wait for events")?;
    match group.read()?.as_slice() {
        [event] => Ok(*event),
        events => bail!("{} events of one thread that waits", events.len()),
    }
}

/// The exit status of a process; none when it sleeps inside ptrace(2), and so waits.
fn ends(pid: Pid) -> Result<Option<i32>> {
    /// ptrace in the 64-bit table of system calls.
    const PTRACE: &str = "101 ";
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)).context("failed to wait")? {
            WaitStatus::Exited(_, status) => return Ok(Some(status)),
            WaitStatus::StillAlive => {}
            other => bail!("who looks ended as {other:?}"),
        }
        // A number stands there only while the process sleeps in the call.
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        if call.starts_with(PTRACE) {
            return Ok(None);
        }
        std::thread::yield_now();
    }
}
