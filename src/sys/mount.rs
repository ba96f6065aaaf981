//! A mount as a descriptor (open_tree(2)), extended attributes, and a process's exe.

use std::ffi::CStr;
use std::os::fd::{OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

/// Clones the mount of a path, detached: it is in an anonymous namespace of its own (open_tree(2), `OPEN_TREE_CLONE`).
///
/// # Errors
///
/// What the call says.
pub fn clone_mount(path: &CStr) -> nix::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint;
    // SAFETY: the path ends with NUL; the other arguments are integers.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    Ok(super::adopt_fd(fd))
}

/// Sets an extended attribute of a file (setxattr(2)).
///
/// # Errors
///
/// What the call says.
pub fn set_attribute(path: &CStr, name: &CStr, value: &[u8]) -> nix::Result<()> {
    // SAFETY: path and name end with NUL, the value is as long as is said.
    let result = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    Errno::result(result).map(drop)
}

/// Reads an extended attribute of a file, at most 64 bytes of it (getxattr(2)).
///
/// # Errors
///
/// What the call says; `ENODATA` when there is no such attribute.
pub fn attribute(path: &CStr, name: &CStr) -> nix::Result<Vec<u8>> {
    let mut value = vec![0; 64];
    let (buffer, room) = (value.as_mut_ptr().cast(), value.len());
    // SAFETY: path and name end with NUL; the buffer is as long as is said.
    let size = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buffer, room) };
    value.truncate(usize::try_from(Errno::result(size)?).unwrap_or_default());
    Ok(value)
}

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
