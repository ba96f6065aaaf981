//! Memory that holds whoever touches it: the kernel too, in the middle of a system call (userfaultfd(2)).

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU8, Ordering};

use nix::errno::Errno;
use nix::libc;

const PAGE: usize = 4096;

/// `UFFD_API`, and `UFFDIO_REGISTER_MODE_MISSING` of include/uapi/linux/userfaultfd.h.
const API: u64 = 0xaa;
const MISSING: u64 = 1;

/// `struct uffdio_api`.
#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register` and `struct uffdio_zeropage`, which have one form.
#[repr(C)]
struct Range {
    start: u64,
    length: u64,
    mode: u64,
    answer: u64,
}

nix::ioctl_readwrite!(ask_api, API as u8, 0x3f, Api);
nix::ioctl_readwrite!(register, API as u8, 0x00, Range);
nix::ioctl_readwrite!(zero, API as u8, 0x04, Range);

/// Bytes at the end of a page; the page after it is missing, and whoever touches that one is held
/// until it is put there.
#[derive(Debug)]
pub struct FaultPages {
    faults: File,
    /// Of the first page; an address, as threads share it.
    page: usize,
    length: usize,
}

impl FaultPages {
    /// Puts the bytes, a page of them at most, before the page that is missing.
    ///
    /// # Errors
    ///
    /// What userfaultfd(2), its ioctls or mmap(2) say: `EPERM` without CAP_SYS_PTRACE.
    pub fn new(bytes: &[u8]) -> nix::Result<FaultPages> {
        let length = bytes.len().min(PAGE);
        let faults = userfaultfd()?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let mut api = Api {
            api: API,
            features: 0,
            ioctls: 0,
        };
        // SAFETY: the kernel chooses the address of two pages; what is written lies in the first of them,
        // the ioctls are given the structs that they fill.
        unsafe {
            let page = libc::mmap(std::ptr::null_mut(), 2 * PAGE, access, kind, -1, 0);
            if page == libc::MAP_FAILED {
                return Err(Errno::last());
            }
            let place = page.cast::<u8>().add(PAGE - length);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, length);
            ask_api(faults.as_raw_fd(), &raw mut api)?;
            let pages = FaultPages {
                faults,
                page: page.expose_provenance(),
                length,
            };
            let mut missing = pages.missing(MISSING);
            register(pages.faults.as_raw_fd(), &raw mut missing)?;
            Ok(pages)
        }
    }

    /// Where the first of the bytes is.
    #[must_use]
    pub fn address(&self) -> usize {
        self.page + PAGE - self.length
    }

    /// Writes the bytes and one more, of the page that is missing: held in the middle of write(2).
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn write_to(&self, fd: BorrowedFd<'_>) -> nix::Result<usize> {
        let bytes = std::ptr::with_exposed_provenance(self.address());
        // SAFETY: the kernel reads two pages that stay mapped.
        let written = unsafe { libc::write(fd.as_raw_fd(), bytes, self.length + 1) };
        Errno::result(written).map(isize::cast_unsigned)
    }

    /// Lists a directory into the page that is missing: held in the middle of getdents64(2).
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn list(&self, directory: BorrowedFd<'_>) -> nix::Result<usize> {
        let page = std::ptr::with_exposed_provenance_mut::<u8>(self.page + PAGE);
        let fd = directory.as_raw_fd();
        // SAFETY: the kernel fills a page that stays mapped and that nobody reads.
        let listed = unsafe { libc::syscall(libc::SYS_getdents64, fd, page, PAGE) };
        Ok(usize::try_from(Errno::result(listed)?).unwrap_or(0))
    }

    /// Waits until somebody is held.
    ///
    /// # Errors
    ///
    /// What read(2) says.
    pub fn wait(&self) -> nix::Result<()> {
        // One `struct uffd_msg`.
        let mut message = [0; 32];
        let read = (&self.faults).read_exact(&mut message);
        read.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }

    /// Replaces the last of the bytes; of more than there are, the first ones.
    pub fn replace_end(&self, end: &[u8]) {
        let end = &end[..end.len().min(self.length)];
        let first = self.page + PAGE - end.len();
        for (place, byte) in (first..).zip(end) {
            let place = std::ptr::with_exposed_provenance_mut(place);
            // SAFETY: it lies in the first page, which is never unmapped, and is only used atomically
            // since it was filled.
            unsafe { AtomicU8::from_ptr(place) }.store(*byte, Ordering::SeqCst);
        }
    }

    /// Puts a page of zeros where one is missing; whoever is held goes on.
    ///
    /// # Errors
    ///
    /// What the ioctl says.
    pub fn release(&self) -> nix::Result<()> {
        let mut missing = self.missing(0);
        // SAFETY: the page is ours and nobody's in Rust.
        unsafe { zero(self.faults.as_raw_fd(), &raw mut missing) }.map(drop)
    }

    fn missing(&self, mode: u64) -> Range {
        Range {
            start: (self.page + PAGE) as u64,
            length: PAGE as u64,
            mode,
            answer: 0,
        }
    }
}

/// Whether faults of the kernel itself can be waited for here.
#[must_use]
pub fn has_userfaultfd() -> bool {
    userfaultfd().is_ok()
}

fn userfaultfd() -> nix::Result<File> {
    // SAFETY: the call takes an integer and makes a new descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    Ok(File::from(super::adopt_fd(fd)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_past_the_end_is_held_until_the_page_is_there() {
        // Where the kernel's own faults may not be waited for there is nothing to see.
        let pages = match FaultPages::new(b"told\0") {
            Ok(pages) => pages,
            Err(errno) => {
                assert_eq!(errno, Errno::EPERM, "without CAP_SYS_PTRACE alone");
                eprintln!("not tried: userfaultfd is not allowed here");
                return;
            }
        };
        // Of more than there are no byte before them is touched.
        pages.replace_end(&[b'x'; 2 * PAGE]);
        let last = std::ptr::with_exposed_provenance::<u8>(pages.page + PAGE);
        let address = last.expose_provenance();
        std::thread::scope(|scope| {
            // SAFETY: the page is there when the read is over, and holds zeros.
            let read =
                scope.spawn(move || unsafe { *std::ptr::with_exposed_provenance::<u8>(address) });
            pages.wait().unwrap();
            assert!(!read.is_finished());
            pages.release().unwrap();
            assert_eq!(read.join().unwrap(), 0);
        });
    }
}
