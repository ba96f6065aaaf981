//! Loop devices, and where a file lies on its disk.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// The block of the disk in which a file begins, in units of the file system's block size
/// (`FIBMAP` of include/uapi/linux/fs.h); 0 for a file with nothing in it.
///
/// # Errors
///
/// `EINVAL` on a file system without a disk.
pub fn first_block(file: BorrowedFd<'_>) -> nix::Result<u32> {
    const FIBMAP: libc::Ioctl = 1;
    let mut block: libc::c_int = 0;
    // SAFETY: the kernel reads and writes one int, which outlives the call.
    Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), FIBMAP, &raw mut block) })?;
    Ok(block.cast_unsigned())
}

/// Has a loop device take the size that its file has now (loop(4), `LOOP_SET_CAPACITY`).
///
/// # Errors
///
/// What the call says.
pub fn resize_loop(device: BorrowedFd<'_>) -> nix::Result<()> {
    const LOOP_SET_CAPACITY: libc::Ioctl = 0x4C07;
    // SAFETY: the call takes no argument.
    Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_SET_CAPACITY, 0) }).map(drop)
}
