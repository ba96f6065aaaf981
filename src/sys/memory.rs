//! Memory that a scenario leaves for exec to deal with: mappings, locks, shared segments.

use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::sync::atomic::AtomicU32;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use super::bare::MARK;

/// What is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Private and anonymous.
    Private,
    /// Shared and anonymous.
    Shared,
    /// Private, anonymous and executable.
    Executable,
}

/// Maps a page at [`MARK`] and never unmaps it.
///
/// # Errors
///
/// What mmap(2) says.
pub fn map_mark(kind: Marked) -> nix::Result<()> {
    let (protection, flags) = match kind {
        Marked::Private => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
        Marked::Shared => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
        Marked::Executable => (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE),
    };
    map(protection, flags | libc::MAP_ANONYMOUS, -1)
}

/// Maps a file's first page at [`MARK`], shared, and never unmaps it.
///
/// # Errors
///
/// What mmap(2) says.
pub fn map_mark_of(file: BorrowedFd<'_>) -> nix::Result<()> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    map(protection, libc::MAP_SHARED, file.as_raw_fd())
}

fn map(protection: i32, flags: i32, fd: RawFd) -> nix::Result<()> {
    let place = std::ptr::without_provenance_mut(MARK);
    let flags = flags | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: the mapping is new, it replaces none.
    let page = unsafe { libc::mmap(place, 4096, protection, flags, fd, 0) };
    if page == libc::MAP_FAILED {
        Err(Errno::last())
    } else {
        Ok(())
    }
}

/// Gives back to the kernel what was freed and is still mapped (malloc_trim(3)).
pub fn trim_heap() {
    // SAFETY: the allocator gives back what is free, under its own lock.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// A word that this process shares with all that it forks from now on; never unmapped.
///
/// # Errors
///
/// What mmap(2) says.
pub fn shared_word() -> nix::Result<&'static AtomicU32> {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_SHARED | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new mapping of zeros, which stays and is only used as an atomic word.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0);
        if page == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(AtomicU32::from_ptr(page.cast()))
    }
}

/// Makes a word the only one of this thread's robust list (set_robust_list(2)), owned by the thread with this id.
///
/// # Errors
///
/// What the call says.
pub fn own_robust(word: &'static AtomicU32, owner: Pid) -> nix::Result<()> {
    /// `struct robust_list_head` of include/uapi/linux/futex.h, with its one entry.
    #[repr(C)]
    struct Head {
        first: usize,
        offset: isize,
        pending: usize,
        entry: usize,
    }
    word.store(
        owner.as_raw().unsigned_abs(),
        std::sync::atomic::Ordering::SeqCst,
    );
    let head = Box::leak(Box::new(Head {
        first: 0,
        offset: 0,
        pending: 0,
        entry: 0,
    }));
    let own = std::ptr::from_mut(head).expose_provenance();
    let entry = (&raw mut head.entry).expose_provenance();
    // The list is a circle: head, entry, head. The offset leads from the entry to its word.
    head.first = entry;
    head.entry = own;
    head.offset = (word.as_ptr().expose_provenance() as isize).wrapping_sub(entry as isize);
    // SAFETY: head and entry are never given back; this thread ends in exec.
    let result = unsafe { libc::syscall(libc::SYS_set_robust_list, own, 24) };
    Errno::result(result).map(drop)
}

/// Maps a page at [`MARK`] and locks it (mlock(2)).
///
/// # Errors
///
/// What mlock or mmap says.
pub fn lock_mark() -> nix::Result<()> {
    map_mark(Marked::Private)?;
    // SAFETY: the page was mapped just now and stays.
    Errno::result(unsafe { libc::mlock(std::ptr::without_provenance(MARK), 4096) }).map(drop)
}

/// Puts all that is mapped into memory and locks it there (mlockall(2), `MCL_CURRENT`).
///
/// # Errors
///
/// What mlockall says.
pub fn lock_present() -> nix::Result<()> {
    // SAFETY: the call takes an integer.
    Errno::result(unsafe { libc::mlockall(libc::MCL_CURRENT) }).map(drop)
}

/// Has all that is mapped from now on locked (mlockall(2), `MCL_FUTURE`), and maps a page at
/// [`MARK`].
///
/// # Errors
///
/// What mlockall or mmap says.
pub fn lock_future() -> nix::Result<()> {
    // SAFETY: the call takes an integer.
    Errno::result(unsafe { libc::mlockall(libc::MCL_FUTURE) })?;
    map_mark(Marked::Private)
}

/// A System V segment of one page (shmget(2)).
///
/// # Errors
///
/// What shmget says.
pub fn new_segment() -> nix::Result<i32> {
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o600) })
}

/// Attaches a segment and leaves it attached (shmat(2)).
///
/// # Errors
///
/// What shmat says.
pub fn attach_segment(id: i32) -> nix::Result<()> {
    // SAFETY: the kernel chooses a free place.
    let place = unsafe { libc::shmat(id, std::ptr::null(), 0) };
    if place.addr() == usize::MAX {
        Err(Errno::last())
    } else {
        Ok(())
    }
}

/// How often a segment is attached (shmctl(2)).
///
/// # Errors
///
/// `EINVAL` or `EIDRM` when it is gone.
pub fn attached(id: i32) -> nix::Result<u64> {
    // SAFETY: all zeros is a valid shmid_ds, which the call fills.
    let segment = unsafe {
        let mut segment: libc::shmid_ds = std::mem::zeroed();
        Errno::result(libc::shmctl(id, libc::IPC_STAT, &raw mut segment))?;
        segment
    };
    Ok(segment.shm_nattch)
}

/// Marks a segment to go when nobody has it attached (shmctl(2)).
///
/// # Errors
///
/// What shmctl says.
pub fn remove_segment(id: i32) -> nix::Result<()> {
    // SAFETY: this command takes no buffer.
    Errno::result(unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// Makes a context of asynchronous I/O and leaves it (io_setup(2)); its ring is mapped.
///
/// # Errors
///
/// What io_setup says.
pub fn aio_context() -> nix::Result<()> {
    let mut context = 0_u64;
    // SAFETY: the context is a valid place.
    Errno::result(unsafe { libc::syscall(libc::SYS_io_setup, 4, &raw mut context) }).map(drop)
}

/// Reads another process's memory (process_vm_readv(2)), as much as is there of it.
///
/// # Errors
///
/// What the call says: `EFAULT` for an address that is not mapped there.
pub fn read_memory(pid: i32, address: usize, into: &mut [u8]) -> nix::Result<usize> {
    let own = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let other = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: into.len(),
    };
    // SAFETY: our buffer is as long as is said; the other address is the other process's.
    let read = unsafe { libc::process_vm_readv(pid, &raw const own, 1, &raw const other, 1, 0) };
    Errno::result(read).map(isize::cast_unsigned)
}
