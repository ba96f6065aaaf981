//! The smallest io_uring: one request that waits, and its completion (io_uring(7)).

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::libc;

/// `struct io_uring_params` of include/uapi/linux/io_uring.h.
#[repr(C)]
#[derive(Default)]
struct Params {
    head: [u32; 10],
    submission: [u32; 10],
    completion: [u32; 10],
}

/// Places in `Params::submission`.
const TAIL: usize = 1;
const ARRAY: usize = 6;
/// Place in `Params::completion`.
const ENTRIES: usize = 5;

/// A ring for a single request, shared with all that this process forks.
#[derive(Debug)]
pub struct Ring {
    fd: OwnedFd,
    rings: *mut u8,
    requests: *mut u8,
    submission: [u32; 10],
    completion: [u32; 10],
}

impl Ring {
    /// Makes a ring and maps it for good.
    ///
    /// # Errors
    ///
    /// What io_uring_setup(2) says, such as `ENOSYS`, or mmap.
    pub fn new() -> nix::Result<Ring> {
        let mut params = Params::default();
        // SAFETY: the parameters have the size and form that the kernel fills.
        let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut params) };
        let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
        let fd = super::adopt_fd(fd);
        // IORING_OFF_SQ_RING, which holds both rings since 5.4, and IORING_OFF_SQES.
        Ok(Ring {
            rings: map(&fd, 0)?,
            requests: map(&fd, 0x1000_0000)?,
            submission: params.submission,
            completion: params.completion,
            fd,
        })
    }

    /// Asks to hear when a descriptor can be read (`IORING_OP_POLL_ADD`).
    ///
    /// # Errors
    ///
    /// What io_uring_enter(2) says.
    pub fn poll(&self, fd: BorrowedFd<'_>) -> nix::Result<()> {
        const POLL_ADD: u8 = 6;
        // SAFETY: the request and both words lie in the mapped page, at the kernel's own offsets.
        let result = unsafe {
            self.requests.write(POLL_ADD);
            self.requests.add(4).cast::<i32>().write(fd.as_raw_fd());
            self.requests
                .add(28)
                .cast::<u32>()
                .write(libc::POLLIN as u32);
            self.word(self.submission[ARRAY]).store(0, Ordering::SeqCst);
            self.word(self.submission[TAIL]).store(1, Ordering::SeqCst);
            let none = std::ptr::null::<u8>();
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd.as_raw_fd(),
                1,
                0,
                0,
                none,
                0,
            )
        };
        Errno::result(result).map(drop)
    }

    /// The result of the request; none while it waits.
    #[must_use]
    pub fn completion(&self) -> Option<i32> {
        // SAFETY: word and entry lie in the mapped page, at the kernel's own offsets.
        unsafe {
            let done = self.word(self.completion[TAIL]).load(Ordering::SeqCst);
            let entry = self.rings.add(self.completion[ENTRIES] as usize);
            (done != 0).then(|| entry.add(8).cast::<i32>().read())
        }
    }

    /// # Safety
    ///
    /// The offset is one that the kernel gave for this ring.
    unsafe fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the page stays mapped, and the word is only used as an atomic one.
        unsafe { AtomicU32::from_ptr(self.rings.add(offset as usize).cast()) }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn map(fd: &OwnedFd, offset: libc::off_t) -> nix::Result<*mut u8> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let none = std::ptr::null_mut();
    // SAFETY: a new mapping of a page that the kernel made for this ring.
    let page = unsafe {
        libc::mmap(
            none,
            4096,
            protection,
            libc::MAP_SHARED,
            fd.as_raw_fd(),
            offset,
        )
    };
    if page == libc::MAP_FAILED {
        Err(Errno::last())
    } else {
        Ok(page.cast())
    }
}
