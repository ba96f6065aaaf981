//! Signals as the kernel counts them, realtime ones too: blocked, queued, pending, taken.

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::Pid;

use super::process::{dispose, do_nothing};

/// The numbers that a program may use: the C library keeps 32 and 33.
pub fn usable_signals() -> impl Iterator<Item = i32> {
    (1..=64).filter(|number| !matches!(*number, 32 | 33 | libc::SIGKILL | libc::SIGSTOP))
}

/// Blocks a signal in this thread, beside those that are (rt_sigprocmask(2)).
///
/// # Errors
///
/// What the call says.
pub fn block(number: i32) -> nix::Result<()> {
    let mask = 1_u64 << (number - 1);
    let none = std::ptr::null_mut::<u64>();
    // SAFETY: the mask is a valid place of the size that is said; null asks for no old one.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            &raw const mask,
            none,
            8,
        )
    };
    Errno::result(result).map(drop)
}

/// Sends a signal with a value to this process (sigqueue(3)).
///
/// # Errors
///
/// What the call says.
pub fn queue(number: i32, value: i32) -> nix::Result<()> {
    let value = libc::sigval {
        sival_ptr: std::ptr::without_provenance_mut(value as usize),
    };
    // SAFETY: the call takes integers; the pointer is a number that nobody follows.
    Errno::result(unsafe { libc::sigqueue(Pid::this().as_raw(), number, value) }).map(drop)
}

/// Sends a signal to this very thread (tgkill(2)).
///
/// # Errors
///
/// What the call says.
pub fn send_to_thread(number: i32) -> nix::Result<()> {
    let (process, thread) = (Pid::this().as_raw(), nix::unistd::gettid().as_raw());
    // SAFETY: the call takes integers.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, number) };
    Errno::result(result).map(drop)
}

/// Whether a signal is pending for this thread or its process (rt_sigpending(2)).
///
/// # Errors
///
/// What the call says.
pub fn is_pending(number: i32) -> nix::Result<bool> {
    let mut set = 0_u64;
    // SAFETY: the set is a valid place of the size that is said.
    Errno::result(unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, 8) })?;
    Ok(set & (1 << (number - 1)) != 0)
}

/// Gives every signal that can have one a handler that does nothing.
///
/// # Errors
///
/// What sigaction(2) says.
pub fn handle_all() -> nix::Result<()> {
    for number in usable_signals() {
        // SAFETY: all zeros is a valid sigaction; the handler does nothing and may run any time.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = do_nothing as extern "C" fn(i32) as usize;
            libc::sigaction(number, &raw const action, std::ptr::null_mut())
        };
        Errno::result(result)?;
    }
    Ok(())
}

/// Has the ends of children be told and kept, also where whoever executed this program ignores SIGCHLD: that is
/// inherited, and a child then leaves neither signal nor status (`do_notify_parent` in kernel/signal.c).
///
/// # Errors
///
/// What sigaction(2) says.
pub fn hear_of_children() -> nix::Result<()> {
    dispose(Signal::SIGCHLD, SigHandler::SigDfl)
}

/// Gives this thread an alternate stack for signals (sigaltstack(2)).
///
/// # Errors
///
/// What the call says.
pub fn set_alternate_stack() -> nix::Result<()> {
    let memory = Vec::leak(vec![0_u8; 1 << 16]);
    let stack = libc::stack_t {
        ss_sp: memory.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: memory.len(),
    };
    // SAFETY: the memory is never given back.
    Errno::result(unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) }).map(drop)
}
