//! What a process may change of its own address space's description (prctl(2), `PR_SET_MM`).

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc;

/// Makes an open file this process's exe (prctl(2), `PR_SET_MM_EXE_FILE`).
///
/// # Errors
///
/// `EBUSY` while the old one is still mapped; what else the call says.
pub fn set_exe_file(fd: RawFd) -> nix::Result<()> {
    // SAFETY: the call takes integers.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_MM,
            libc::PR_SET_MM_EXE_FILE as libc::c_ulong,
            fd as libc::c_ulong,
            0,
            0,
        )
    };
    Errno::result(result).map(drop)
}

/// Whether the kernel knows prctl(2) `PR_SET_MM_MAP`: it says how long its structure is.
#[must_use]
pub fn has_mm_map() -> bool {
    let mut size: libc::c_uint = 0;
    // SAFETY: the option wants room for an unsigned integer.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_MM,
            libc::PR_SET_MM_MAP_SIZE as libc::c_ulong,
            &raw mut size,
            0,
            0,
        )
    };
    result == 0 && size > 0
}
