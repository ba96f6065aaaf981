//! Descriptors that the kernel hands out as numbers.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

/// Takes over a descriptor that the kernel just made for us, such as a fanotify event's.
///
/// Call it once for each descriptor.
#[must_use]
pub fn adopt_fd(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller got this descriptor from the kernel, and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Opens a descriptor that becomes readable when the process ends (pidfd_open(2)).
///
/// # Errors
///
/// `ESRCH` when the process is already reaped.
pub fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    Ok(adopt_fd(fd))
}

/// Duplicates a descriptor of another process (pidfd_getfd(2)).
///
/// # Errors
///
/// What the call says: `EPERM` without the right to trace it.
pub fn pidfd_getfd(process: BorrowedFd<'_>, number: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes integers and makes a new descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    Ok(adopt_fd(fd))
}

/// Takes a write lease on an open file (fcntl(2), `F_SETLEASE`); it ends with the descriptor.
///
/// # Errors
///
/// `EAGAIN` when somebody else has the file open.
pub fn lease(file: &std::fs::File) -> nix::Result<()> {
    // SAFETY: the call takes integers.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
    Errno::result(result).map(drop)
}

/// Ends a lease, also where another process has the same description of the file open.
///
/// # Errors
///
/// `EAGAIN` where there is none.
pub fn end_lease(file: &std::fs::File) -> nix::Result<()> {
    // SAFETY: the call takes integers.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    Errno::result(result).map(drop)
}

/// Duplicates a descriptor to a chosen number that stays open on exec (dup2(2)).
///
/// Whatever had the number is closed; only a child that is about to become a program calls this.
///
/// # Errors
///
/// What dup2 says.
pub fn lend_fd(fd: BorrowedFd<'_>, number: RawFd) -> nix::Result<()> {
    if fd.as_raw_fd() == number {
        return close_on_exec(fd, FdFlag::empty());
    }
    // SAFETY: the call takes integers; the caller owns nothing under the number.
    let result = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    Errno::result(result).map(drop)
}

/// Duplicates a descriptor to a chosen number, closed on exec (dup3(2)).
///
/// Whatever had the number is closed: a child that is about to become a program calls this, or who takes from another
/// thread what it has under this number, and leaves the number its own.
///
/// # Errors
///
/// What dup3 says.
pub fn place_fd(fd: BorrowedFd<'_>, number: RawFd) -> nix::Result<()> {
    if fd.as_raw_fd() == number {
        return close_on_exec(fd, FdFlag::FD_CLOEXEC);
    }
    // SAFETY: the call takes integers; a number that somebody owns stays his, and open.
    let result = unsafe { libc::dup3(fd.as_raw_fd(), number, libc::O_CLOEXEC) };
    Errno::result(result).map(drop)
}

/// Of one that has its number already dup2 changes nothing, and dup3 says `EINVAL`.
fn close_on_exec(fd: BorrowedFd<'_>, flags: FdFlag) -> nix::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(flags)).map(drop)
}

/// Duplicates a descriptor to the first free number from this one on, closed on exec (fcntl(2), `F_DUPFD_CLOEXEC`).
///
/// # Errors
///
/// What fcntl says.
pub fn raise_fd(fd: BorrowedFd<'_>, least: RawFd) -> nix::Result<OwnedFd> {
    fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(least)).map(adopt_fd)
}

/// How many bytes can be read from a descriptor without waiting (ioctl(2), `FIONREAD`).
///
/// # Errors
///
/// What ioctl says.
pub fn readable_bytes(fd: BorrowedFd<'_>) -> nix::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the call fills one integer.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    Errno::result(result)?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd as _;

    use super::*;

    fn flags(fd: BorrowedFd<'_>) -> FdFlag {
        FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD).unwrap())
    }

    #[test]
    fn one_that_has_its_number_is_lent() {
        let file = File::open("/dev/null").unwrap();
        lend_fd(file.as_fd(), file.as_raw_fd()).unwrap();
        assert_eq!(flags(file.as_fd()), FdFlag::empty());
    }

    #[test]
    fn one_that_has_its_number_is_placed() {
        let file = File::open("/dev/null").unwrap();
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        place_fd(file.as_fd(), file.as_raw_fd()).unwrap();
        assert_eq!(flags(file.as_fd()), FdFlag::FD_CLOEXEC);
    }

    #[test]
    fn a_raised_one_is_no_lower() {
        let file = File::open("/dev/null").unwrap();
        let raised = raise_fd(file.as_fd(), 200).unwrap();
        assert!(raised.as_raw_fd() >= 200);
        assert_eq!(flags(raised.as_fd()), FdFlag::FD_CLOEXEC);
    }
}
