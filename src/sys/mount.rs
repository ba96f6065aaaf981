//! A mount as a descriptor (open_tree(2)).

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
