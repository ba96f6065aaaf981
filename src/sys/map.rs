//! The first page of a file in memory, shared with everybody else who has it.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

const PAGE: usize = 4096;

/// A mapped page; nobody is given its address.
#[derive(Debug)]
pub struct Mapping {
    address: *mut libc::c_void,
}

impl Mapping {
    /// Maps a file's first page, shared and writable; the descriptor may be closed then (mmap(2)).
    ///
    /// # Errors
    ///
    /// What mmap says.
    pub fn shared(file: BorrowedFd<'_>) -> nix::Result<Mapping> {
        // SAFETY: the kernel chooses the address; nothing in Rust refers to the memory.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        match address == libc::MAP_FAILED {
            true => Err(Errno::last()),
            false => Ok(Mapping { address }),
        }
    }

    /// Has the kernel treat the page as broken memory (madvise(2), `MADV_HWPOISON`).
    ///
    /// # Errors
    ///
    /// `EINVAL` where the kernel has no handling of broken memory.
    pub fn poison(&self) -> nix::Result<()> {
        // SAFETY: the page is in nobody's use but the file's; it is read first, so that it is
        // there.
        unsafe {
            self.address.cast::<u8>().read_volatile();
            Errno::result(libc::madvise(self.address, PAGE, libc::MADV_HWPOISON)).map(drop)
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the page was mapped by us and nobody has its address.
        unsafe { libc::munmap(self.address, PAGE) };
    }
}
