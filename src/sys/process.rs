//! Processes: fork, what a child has to put right before it becomes a program, and its death.

use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::unistd::ForkResult;

/// Forks a process that has one thread.
///
/// # Errors
///
/// `EAGAIN` where processes are limited; `EINVAL` when the caller has more than one thread, because
/// the child could then wait for a lock that nobody will ever release.
pub fn fork() -> nix::Result<ForkResult> {
    has_one_thread()?;
    // SAFETY: the process has one thread, so the child may do whatever its parent could.
    unsafe { nix::unistd::fork() }
}

/// Forks a child that shares the table of descriptors (clone(2), `CLONE_FILES`).
///
/// # Errors
///
/// As for [`fork`].
pub fn fork_sharing_files() -> nix::Result<ForkResult> {
    clone(libc::CLONE_FILES | libc::SIGCHLD)
}

/// Forks a child that no tracer of ours gets (clone(2), `CLONE_UNTRACED`).
///
/// # Errors
///
/// As for [`fork`].
pub fn fork_untraced() -> nix::Result<ForkResult> {
    clone(libc::CLONE_UNTRACED | libc::SIGCHLD)
}

/// Forks a child at whose end the parent gets this signal instead of SIGCHLD, 0 for none (clone(2)).
///
/// Wait for it with `__WALL`.
///
/// # Errors
///
/// As for [`fork`].
pub fn fork_with(signal: i32) -> nix::Result<ForkResult> {
    clone(signal)
}

fn has_one_thread() -> nix::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    (threads == 1).then_some(()).ok_or(Errno::EINVAL)
}

/// Forks a child with these flags of clone(2), none of which shares memory, and the signal of its end.
fn clone(flags: i32) -> nix::Result<ForkResult> {
    has_one_thread()?;
    // SAFETY: as in `fork`; without CLONE_VM both have a memory of their own, and no stack of ours
    // is given. What the C library keeps of the process's id is not asked for by such a child.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match i32::try_from(Errno::result(pid)?).map_err(|_| Errno::ERANGE)? {
        0 => Ok(ForkResult::Child),
        pid => Ok(ForkResult::Parent {
            child: nix::unistd::Pid::from_raw(pid),
        }),
    }
}

/// Puts every signal back to its default and blocks none, as a fresh login would have it.
///
/// # Errors
///
/// What sigprocmask(2) says.
pub fn reset_signals() -> nix::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator() {
        if matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            continue;
        }
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default) }?;
    }
    // The C library keeps two for itself and refuses to name them; whoever started us may not.
    for number in 32..=64 {
        // Handler, flags, restorer and mask: the default, without any.
        let action = [0_u64; 4];
        let (new, old) = (action.as_ptr(), std::ptr::null::<u64>());
        // SAFETY: the kernel reads an action of this layout, and writes none.
        let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, old, 8) };
        Errno::result(result)?;
    }
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Whether this process ignores a signal.
#[must_use]
pub fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the call changes nothing, and fills the action where it succeeds.
    unsafe {
        libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Sets what a signal does in this process (sigaction(2)).
///
/// # Errors
///
/// What sigaction says.
pub fn dispose(signal: Signal, handler: SigHandler) -> nix::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: a handler is `handled` below, which may run at any time, or none of ours.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// A handler that does nothing.
#[must_use]
pub fn handled() -> SigHandler {
    SigHandler::Handler(do_nothing)
}

/// What [`handled`] and [`handle_all`](super::handle_all) set.
pub(super) extern "C" fn do_nothing(_: i32) {}

/// Closes every descriptor from `first` to `last`.
///
/// # Errors
///
/// What close_range(2) says.
pub fn close_fds_from(first: u32, last: u32) -> nix::Result<()> {
    // SAFETY: only a child that is about to become a program calls this; it uses none of them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    Errno::result(result).map(drop)
}

/// Has the kernel kill this process when the thread that started it ends (prctl(2)).
///
/// # Errors
///
/// What prctl says.
pub fn die_with_parent() -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
}

/// Makes a command end with the thread that starts it, with no signal blocked or ignored.
///
/// The thread must live until the child is reaped.
pub fn on_exec(command: &mut Command) -> &mut Command {
    let parent = nix::unistd::getpid();
    let prepare = move || {
        reset_signals()?;
        die_with_parent()?;
        // The parent may have ended before prctl(2) was called. In a pid namespace of the child's own, getppid(2) is 0.
        let now = nix::unistd::getppid();
        match now == parent || now.as_raw() == 0 {
            true => Ok(()),
            false => Err(Errno::ESRCH.into()),
        }
    };
    // SAFETY: between fork and exec only system calls are made, nothing is allocated or locked.
    unsafe { command.pre_exec(prepare) }
}

/// Starts a command with no signal blocked or ignored, whatever this process does with them.
pub fn with_clean_signals(command: &mut Command) -> &mut Command {
    let prepare = || Ok(reset_signals()?);
    // SAFETY: between fork and exec only system calls are made, nothing is allocated or locked.
    unsafe { command.pre_exec(prepare) }
}

/// Ends a forked child without running what its parent has registered for its own end (_exit(2)).
pub fn exit_now(status: i32) -> ! {
    // SAFETY: the call takes an integer and does not return.
    unsafe { libc::_exit(status) }
}

/// Ends this thread alone, also when it is the leader (exit(2) of the kernel, not of the library).
///
/// # Errors
///
/// None: it does not return.
pub fn end_thread() -> nix::Result<()> {
    // SAFETY: the caller's stack stays mapped, so that others may go on to use what is on it.
    Errno::result(unsafe { libc::syscall(libc::SYS_exit, 0) }).map(drop)
}

/// Whether two processes share one table of descriptors (kcmp(2)); no where the kernel cannot tell.
#[must_use]
pub fn share_descriptors(one: i32, other: i32) -> bool {
    /// `KCMP_FILES` of include/uapi/linux/kcmp.h.
    const FILES: libc::c_int = 2;
    // SAFETY: the call takes numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, FILES, 0, 0) == 0 }
}

/// Starts a process that shares working directory and root with this one (clone(2), `CLONE_FS`),
/// and ends with it.
///
/// # Errors
///
/// As for [`fork`].
pub fn share_fs() -> nix::Result<()> {
    let parent = nix::unistd::getpid();
    if let ForkResult::Child = clone(libc::CLONE_FS | libc::SIGCHLD)? {
        // A parent that has ended meanwhile sends nothing any more.
        if die_with_parent().is_err() || nix::unistd::getppid() != parent {
            exit_now(1);
        }
        loop {
            nix::unistd::pause();
        }
    }
    Ok(())
}

nix::ioctl_write_ptr_bad!(write_size, libc::TIOCSWINSZ, libc::winsize);

/// Tells a terminal how large it is, in characters.
///
/// # Errors
///
/// It is no terminal.
pub fn set_terminal_size(terminal: impl AsFd, rows: u16, columns: u16) -> nix::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel reads a winsize, which lives until it returns.
    unsafe { write_size(terminal.as_fd().as_raw_fd(), &raw const size) }.map(drop)
}

/// Gives a command a session of its own, with its standard input as the controlling terminal.
pub fn own_terminal(command: &mut Command) -> &mut Command {
    let prepare = || {
        nix::unistd::setsid()?;
        // SAFETY: descriptor 0 is the terminal by now; the call takes two integers.
        Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, nothing is allocated or locked.
    unsafe { command.pre_exec(prepare) }
}
