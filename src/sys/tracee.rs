//! A process that a tracer holds, as far as nix does not have it (ptrace(2)).

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// A system call at which a process has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// A filter stopped it before the call: architecture, number and arguments.
    Before(u32, u64, [u64; 6]),
    /// It stopped when the call was over: what the call returned, an errno as a negative number.
    After(i64),
    /// It stopped elsewhere.
    Elsewhere,
}

/// Asks at which call a tracee has stopped (`PTRACE_GET_SYSCALL_INFO`, Linux 5.3).
///
/// # Errors
///
/// `ESRCH` for a process that is none of ours or does not stand still.
pub fn stopped(pid: Pid) -> nix::Result<Stopped> {
    let info = ptrace::syscall_info(pid)?;
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_SECCOMP => {
            // SAFETY: the kernel fills this member for this kind of stop.
            let call = unsafe { info.u.seccomp };
            Stopped::Before(info.arch, call.nr, call.args)
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: as above.
            let end = unsafe { info.u.exit };
            Stopped::After(end.sval)
        }
        _ => Stopped::Elsewhere,
    })
}

/// Leaves a tracee stopped as its group is, without holding it (`PTRACE_LISTEN`).
///
/// # Errors
///
/// `EIO` for one that has not stopped with its group.
pub fn listen(pid: Pid) -> nix::Result<()> {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the request takes no address and no data.
    let result = unsafe { libc::ptrace(libc::PTRACE_LISTEN, pid.as_raw(), nothing, nothing) };
    Errno::result(result).map(drop)
}

/// Lets a tracee go on that stopped at a signal, and has it get that one, real-time ones too (`PTRACE_CONT`).
///
/// # Errors
///
/// `ESRCH` for one that has been killed meanwhile.
pub fn go_on_with(pid: Pid, signal: i32) -> nix::Result<()> {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    let signal = std::ptr::without_provenance_mut::<libc::c_void>(signal.unsigned_abs() as usize);
    // SAFETY: the request takes no address, and a number as its data.
    let result = unsafe { libc::ptrace(libc::PTRACE_CONT, pid.as_raw(), nothing, signal) };
    Errno::result(result).map(drop)
}
