//! The kernel's random state.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::libc;

/// `RNDADDENTROPY` and `RNDRESEEDCRNG` (random(4)).
const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;
const RNDRESEEDCRNG: libc::c_ulong = 0x5207;
/// How many bytes are taken.
const SEED: usize = 32;

/// `struct rand_pool_info` of include/uapi/linux/random.h with a buffer of its own.
#[repr(C)]
struct Pool {
    bits: libc::c_int,
    bytes: libc::c_int,
    buffer: [u8; SEED],
}

/// Mixes a seed of 32 bytes in, and has the kernel's generator take it up at once.
///
/// # Errors
///
/// `EINVAL` for a seed of another length, `EPERM` for who is not root.
pub fn reseed(seed: &[u8]) -> nix::Result<()> {
    let buffer = seed.try_into().map_err(|_| Errno::EINVAL)?;
    let pool = Pool {
        bits: 8 * SEED as libc::c_int,
        bytes: SEED as libc::c_int,
        buffer,
    };
    let file = OpenOptions::new().write(true).open("/dev/urandom");
    let file = file.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    // SAFETY: the request reads a rand_pool_info and as many bytes after it as it says.
    Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), RNDADDENTROPY, &raw const pool) })?;
    // SAFETY: the request takes no argument.
    Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), RNDRESEEDCRNG) }).map(drop)
}
