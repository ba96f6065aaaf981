//! Kernel modules.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// Loads a kernel module from an open file (finit_module(2)).
///
/// # Errors
///
/// What the kernel says; `EEXIST` when it is loaded already.
pub fn finit_module(file: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the parameters are an empty NUL-terminated string and a descriptor that is open.
    let result =
        unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    Errno::result(result).map(drop)
}
