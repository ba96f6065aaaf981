//! What a process may: capabilities, and attributes set by prctl(2).

use nix::errno::Errno;
use nix::libc;

/// Sets an attribute of this process by two integers (prctl(2)).
///
/// # Errors
///
/// What prctl says.
pub fn set_attribute_of_process(option: i32, first: u64, second: u64) -> nix::Result<()> {
    // SAFETY: only options that take integers are set by this; none has a pointer.
    Errno::result(unsafe { libc::prctl(option, first, second, 0, 0) }).map(drop)
}

/// Permitted, effective and inheritable capabilities, a bit each (capset(2)).
///
/// # Errors
///
/// What capset says.
pub fn set_capabilities(permitted: u64, effective: u64, inheritable: u64) -> nix::Result<()> {
    // `_LINUX_CAPABILITY_VERSION_3`, this process.
    let header = [0x2008_0522_u32, 0];
    let half = |set: u64, shift: u32| (set >> shift) as u32;
    let words =
        [0, 32].map(|shift| [effective, permitted, inheritable].map(|set| half(set, shift)));
    // SAFETY: header and sets have the form that the version asks for.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), words.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Sets the nice value of this process (setpriority(2)).
///
/// # Errors
///
/// What setpriority says.
pub fn set_nice(value: i32) -> nix::Result<()> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) }).map(drop)
}
