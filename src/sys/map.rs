//! Memory of the kernel's making: a page of a file, and bytes with nothing after them.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

const PAGE: usize = 4096;

/// A mapped page; nothing in Rust refers to it.
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

    /// Where it is, for calls that read there.
    #[must_use]
    pub fn address(&self) -> usize {
        self.address.expose_provenance()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the page was mapped by us; its address is used by calls that have returned.
        unsafe { libc::munmap(self.address, PAGE) };
    }
}

/// Bytes that end where the memory ends: after the last one nobody can read.
#[derive(Debug)]
pub struct Edge {
    page: *mut libc::c_void,
    length: usize,
}

impl Edge {
    /// Puts the bytes, a page of them at most, before a page that is not there.
    ///
    /// # Errors
    ///
    /// What mmap(2) or munmap(2) says.
    pub fn new(bytes: &[u8]) -> nix::Result<Edge> {
        let length = bytes.len().min(PAGE);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: the kernel chooses the address of two pages; the second is given back at once,
        // and what is written lies in the first.
        unsafe {
            let page = libc::mmap(std::ptr::null_mut(), 2 * PAGE, access, kind, -1, 0);
            if page == libc::MAP_FAILED {
                return Err(Errno::last());
            }
            Errno::result(libc::munmap(page.byte_add(PAGE), PAGE))?;
            let place = page.cast::<u8>().add(PAGE - length);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, length);
            Ok(Edge { page, length })
        }
    }

    /// Where the first of the bytes is.
    #[must_use]
    pub fn address(&self) -> usize {
        self.page.expose_provenance() + PAGE - self.length
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // SAFETY: the page was mapped by us; its address is used by calls that have returned.
        unsafe { libc::munmap(self.page, PAGE) };
    }
}
