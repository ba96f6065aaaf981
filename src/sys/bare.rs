//! System calls without a C library: what the subject needs, and the launcher to look alike.
//!
//! Compiled twice, into this library and into the subject (`src/subject/main.rs`), so it uses
//! `core` and `alloc` alone.

use alloc::vec;
use alloc::vec::Vec;

/// What exec handed over on the stack (the x86-64 psABI, "Initial Process Stack").
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The arguments.
    pub argv: Vec<Vec<u8>>,
    /// The variables: those with a name.
    pub environment: Vec<Vec<u8>>,
    /// `AT_SECURE` of getauxval(3).
    pub secure: Option<u64>,
    /// `AT_FLAGS`.
    pub auxiliary_flags: Option<u64>,
    /// `AT_EXECFN`.
    pub execfn: Option<Vec<u8>>,
    /// `AT_EXECFD`.
    pub execfd: Option<u64>,
    /// Where the first argument, the first variable and `AT_EXECFN` lie, for those that are there.
    pub places: Vec<(&'static str, usize)>,
    /// The registers at the first instruction; none in a program that has a library.
    pub registers: Option<Registers>,
}

/// The registers of x86-64 as a program finds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Registers {
    /// rax, rbx, rcx, rdx, rsi, rdi, rbp and r8 to r15.
    pub general: [u64; 15],
    /// rflags.
    pub flags: u64,
    /// cs, ss, ds, es, fs and gs.
    pub segments: [u64; 6],
}

impl Registers {
    /// Names of the general registers, in their order here.
    pub const GENERAL: [&str; 15] = [
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15",
    ];
    /// Names of the segment registers.
    pub const SEGMENTS: [&str; 6] = ["cs", "ss", "ds", "es", "fs", "gs"];
}

/// The errno of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(pub i32);

/// A signal that was pending, as sigtimedwait(2) gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub number: i32,
    /// What came with it (sigqueue(3)).
    pub value: i32,
}

/// Where scenarios map a page that has to go: below all that a program of ours has by itself, which
/// begins at 2 MiB and whose heap is anywhere in the GiB above it, and above what vm.mmap_min_addr
/// keeps free.
pub const MARK: usize = 0x10_0000;

/// Options of prctl(2) that return a number (include/uapi/linux/prctl.h).
pub const PR_GET_SECUREBITS: usize = 27;
/// See [`PR_GET_SECUREBITS`].
pub const PR_GET_KEEPCAPS: usize = 7;
/// See [`PR_GET_SECUREBITS`].
pub const PR_GET_DUMPABLE: usize = 3;
/// See [`PR_GET_SECUREBITS`].
pub const PR_GET_THP_DISABLE: usize = 42;
const PR_GET_PDEATHSIG: usize = 2;
const PR_GET_NAME: usize = 16;

/// Numbers of system calls (arch/x86/entry/syscalls/syscall_64.tbl).
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const GETITIMER: usize = 36;
    pub const GETPID: usize = 39;
    pub const FCNTL: usize = 72;
    pub const GETSID: usize = 124;
    pub const RT_SIGTIMEDWAIT: usize = 128;
    pub const SIGALTSTACK: usize = 131;
    pub const PERSONALITY: usize = 135;
    pub const PRCTL: usize = 157;
    pub const GETTID: usize = 186;
    pub const TGKILL: usize = 234;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const READLINKAT: usize = 267;
    pub const STATX: usize = 332;
}

/// `AT_FDCWD` of fcntl.h.
const HERE: usize = -100_isize as usize;

/// Makes a system call of up to five arguments; a sixth is 0.
///
/// # Safety
///
/// As the call asks for.
pub(crate) unsafe fn call(number: usize, arguments: [usize; 5]) -> Result<usize, Failed> {
    #[cfg(not(target_arch = "x86_64"))]
    compile_error!("no system call is known for this architecture");
    let [first, second, third, fourth, fifth] = arguments;
    let result: isize;
    // SAFETY: the kernel clobbers rcx and r11 and keeps all else (syscall(2)); memory is the caller's.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            in("r9") 0_usize,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    match result {
        -4095..=-1 => Err(Failed((-result) as i32)),
        _ => Ok(result.cast_unsigned()),
    }
}

/// Makes a system call that takes numbers alone.
fn simple(number: usize, first: usize, second: usize, third: usize) -> Result<usize, Failed> {
    // SAFETY: the callers, all in this file, give numbers to calls that follow none of them.
    unsafe { call(number, [first, second, third, 0, 0]) }
}

/// A path with its NUL.
fn path_of(path: &str) -> Vec<u8> {
    [path.as_bytes(), &[0]].concat()
}

/// A whole file.
///
/// # Errors
///
/// What open(2) or read(2) says.
pub fn read(path: &str) -> Result<Vec<u8>, Failed> {
    let path = path_of(path);
    // SAFETY: the path ends with a NUL; the flags ask for reading alone, close-on-exec.
    let file = unsafe {
        call(
            number::OPENAT,
            [HERE, path.as_ptr().expose_provenance(), 0o2_000_000, 0, 0],
        )
    }?;
    let mut bytes = Vec::new();
    let mut piece = vec![0_u8; 1 << 14];
    let result = loop {
        let place = piece.as_mut_ptr().expose_provenance();
        // SAFETY: the piece is as long as is said.
        match unsafe { call(number::READ, [file, place, piece.len(), 0, 0]) } {
            Ok(0) => break Ok(bytes),
            Ok(size) => bytes.extend_from_slice(piece.get(..size).unwrap_or_default()),
            Err(failed) => break Err(failed),
        }
    };
    simple(number::CLOSE, file, 0, 0)?;
    result
}

/// The target of a symbolic link.
///
/// # Errors
///
/// What readlink(2) says.
pub fn read_link(path: &str) -> Result<Vec<u8>, Failed> {
    let path = path_of(path);
    // PATH_MAX: a path in `/proc` has no more.
    let mut target = vec![0_u8; 4096];
    let place = target.as_mut_ptr().expose_provenance();
    let name = path.as_ptr().expose_provenance();
    // SAFETY: the path ends with a NUL, the target is as long as is said.
    let size = unsafe { call(number::READLINKAT, [HERE, name, place, target.len(), 0]) }?;
    target.truncate(size);
    Ok(target)
}

/// Major and minor number of a file's device and its inode, through links.
///
/// # Errors
///
/// What statx(2) says.
pub fn identity(path: &str) -> Result<(u32, u32, u64), Failed> {
    /// `STATX_INO` of stat.h.
    const INODE: usize = 0x100;
    let path = path_of(path);
    // struct statx has 256 bytes; stx_ino is at byte 32, stx_dev_major at 136, stx_dev_minor at 140
    // (include/uapi/linux/stat.h).
    let mut found = [0_u64; 32];
    let (name, place) = (
        path.as_ptr().expose_provenance(),
        found.as_mut_ptr().expose_provenance(),
    );
    // SAFETY: the path ends with a NUL, the answer has room.
    unsafe { call(number::STATX, [HERE, name, 0, INODE, place]) }?;
    Ok((found[17] as u32, (found[17] >> 32) as u32, found[4]))
}

/// Takes a record lock for writing of a whole open file, as a process that may hold it already (fcntl(2), `F_SETLK`).
///
/// # Errors
///
/// What fcntl says: `EAGAIN` where another process, or a table of descriptors that is not ours, holds it.
pub fn lock(fd: i32) -> Result<(), Failed> {
    /// `F_SETLK` and `F_WRLCK` of include/uapi/asm-generic/fcntl.h.
    const SET: usize = 6;
    const FOR_WRITING: u64 = 1;
    // struct flock: type and whence in the first word, start, length, then a process id; all of the file is zeros.
    let range = [FOR_WRITING, 0, 0, 0];
    let place = range.as_ptr().expose_provenance();
    // SAFETY: the range is as large as the call reads.
    unsafe { call(number::FCNTL, [fd as usize, SET, place, 0, 0]) }.map(drop)
}

/// Writes all of it.
///
/// # Errors
///
/// What write(2) says.
pub fn write(fd: i32, mut bytes: &[u8]) -> Result<(), Failed> {
    while !bytes.is_empty() {
        let place = bytes.as_ptr().expose_provenance();
        // SAFETY: the bytes are as many as is said.
        let size = unsafe { call(number::WRITE, [fd as usize, place, bytes.len(), 0, 0]) }?;
        bytes = bytes.get(size..).unwrap_or_default();
    }
    Ok(())
}

/// An attribute of this process that is a number (prctl(2)).
///
/// # Errors
///
/// What prctl says.
pub fn prctl(option: usize) -> Result<i32, Failed> {
    simple(number::PRCTL, option, 0, 0).map(|number| number as i32)
}

/// The signal that comes when the parent ends, 0 for none (prctl(2), `PR_GET_PDEATHSIG`).
///
/// # Errors
///
/// What prctl says.
pub fn death_signal() -> Result<i32, Failed> {
    let mut signal = 0_i32;
    let place = (&raw mut signal).expose_provenance();
    // SAFETY: the option wants the address of an integer.
    unsafe { call(number::PRCTL, [PR_GET_PDEATHSIG, place, 0, 0, 0]) }?;
    Ok(signal)
}

/// The comm of this thread (prctl(2), `PR_GET_NAME`).
#[must_use]
pub fn comm() -> Vec<u8> {
    let mut name = [0_u8; 16];
    let place = name.as_mut_ptr().expose_provenance();
    // SAFETY: the option wants room for 16 bytes.
    let asked = unsafe { call(number::PRCTL, [PR_GET_NAME, place, 0, 0, 0]) };
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(16);
    asked.map_or_else(|_| Vec::new(), |_| name[..end].to_vec())
}

/// The execution domain (personality(2)), with bits that have no name too.
///
/// # Errors
///
/// What personality says.
pub fn personality() -> Result<u64, Failed> {
    simple(number::PERSONALITY, 0xffff_ffff, 0, 0).map(|bits| bits as u64)
}

/// The process's id.
#[must_use]
pub fn process_id() -> i32 {
    simple(number::GETPID, 0, 0, 0).unwrap_or(0) as i32
}

/// The thread's id.
#[must_use]
pub fn thread_id() -> i32 {
    simple(number::GETTID, 0, 0, 0).unwrap_or(0) as i32
}

/// The id of the process's session.
#[must_use]
pub fn session_id() -> i32 {
    simple(number::GETSID, 0, 0, 0).unwrap_or(0) as i32
}

/// Takes every signal that is blocked and pending, in the order in which the kernel gives them.
#[must_use]
pub fn take_pending() -> Vec<Taken> {
    let all = u64::MAX;
    let mut taken = Vec::new();
    loop {
        // siginfo_t has 128 bytes: si_signo first, si_value at byte 24 (sigaction(2)).
        let mut info = [0_u64; 16];
        // A time of zero: do not wait.
        let now = [0_u64; 2];
        let (set, time) = (
            (&raw const all).expose_provenance(),
            now.as_ptr().expose_provenance(),
        );
        let place = info.as_mut_ptr().expose_provenance();
        // SAFETY: set, answer and time are valid places; the set has the size that is said.
        match unsafe { call(number::RT_SIGTIMEDWAIT, [set, place, time, 8, 0]) } {
            Ok(number) if number > 0 => taken.push(Taken {
                number: number as i32,
                value: info[3] as i32,
            }),
            _ => return taken,
        }
    }
}

/// The size of the alternate stack for signals, where this thread has one (sigaltstack(2)).
///
/// # Errors
///
/// What sigaltstack says.
pub fn alternate_stack() -> Result<Option<u64>, Failed> {
    /// `SS_DISABLE` of include/uapi/linux/signal.h.
    const DISABLED: u64 = 2;
    // stack_t: address, flags, size.
    let mut stack = [0_u64; 3];
    let place = stack.as_mut_ptr().expose_provenance();
    // SAFETY: the answer has room; a null pointer sets nothing.
    unsafe { call(number::SIGALTSTACK, [0, place, 0, 0, 0]) }?;
    Ok((stack[1] & DISABLED == 0).then_some(stack[2]))
}

/// Maps a page where the kernel chooses, and never unmaps it (mmap(2)).
///
/// # Errors
///
/// What mmap says.
pub fn new_page() -> Result<usize, Failed> {
    /// `PROT_READ` and `PROT_WRITE`, `MAP_PRIVATE` and `MAP_ANONYMOUS` of include/uapi/asm-generic/mman-common.h.
    const KIND: [usize; 2] = [3, 0x22];
    // SAFETY: the mapping is new and replaces none; without a file there is no descriptor.
    unsafe { call(number::MMAP, [0, 4096, KIND[0], KIND[1], usize::MAX]) }
}

/// Which of the three interval timers run: real, virtual and profiling (getitimer(2)).
///
/// # Errors
///
/// What getitimer says.
pub fn interval_timers() -> Result<[bool; 3], Failed> {
    let mut armed = [false; 3];
    for (kind, armed) in armed.iter_mut().enumerate() {
        // struct itimerval: interval, then what is left of the time, two words each.
        let mut value = [0_u64; 4];
        let place = value.as_mut_ptr().expose_provenance();
        // SAFETY: the answer has room.
        unsafe { call(number::GETITIMER, [kind, place, 0, 0, 0]) }?;
        *armed = value[2] != 0 || value[3] != 0;
    }
    Ok(armed)
}

/// Dies of SIGABRT.
pub fn crash() -> ! {
    const SIGABRT: usize = 6;
    let (process, thread) = (process_id() as usize, thread_id() as usize);
    // Where the signal is blocked or ignored there is something to do afterwards.
    let _ = simple(number::TGKILL, process, thread, SIGABRT);
    exit(127)
}

/// Ends the process (exit_group(2)).
pub fn exit(status: i32) -> ! {
    loop {
        let _ = simple(number::EXIT_GROUP, status as usize, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;
    use nix::libc;

    #[test]
    fn numbers_are_those_of_the_c_library() {
        let calls = [
            (number::READ, libc::SYS_read),
            (number::WRITE, libc::SYS_write),
            (number::CLOSE, libc::SYS_close),
            (number::MMAP, libc::SYS_mmap),
            (number::GETITIMER, libc::SYS_getitimer),
            (number::GETPID, libc::SYS_getpid),
            (number::FCNTL, libc::SYS_fcntl),
            (number::GETSID, libc::SYS_getsid),
            (number::RT_SIGTIMEDWAIT, libc::SYS_rt_sigtimedwait),
            (number::SIGALTSTACK, libc::SYS_sigaltstack),
            (number::PERSONALITY, libc::SYS_personality),
            (number::PRCTL, libc::SYS_prctl),
            (number::GETTID, libc::SYS_gettid),
            (number::TGKILL, libc::SYS_tgkill),
            (number::EXIT_GROUP, libc::SYS_exit_group),
            (number::OPENAT, libc::SYS_openat),
            (number::READLINKAT, libc::SYS_readlinkat),
            (number::STATX, libc::SYS_statx),
        ];
        for (ours, theirs) in calls {
            assert_eq!(ours as i64, theirs);
        }
        let options = [
            (PR_GET_SECUREBITS, libc::PR_GET_SECUREBITS),
            (PR_GET_KEEPCAPS, libc::PR_GET_KEEPCAPS),
            (PR_GET_DUMPABLE, libc::PR_GET_DUMPABLE),
            (PR_GET_THP_DISABLE, libc::PR_GET_THP_DISABLE),
            (PR_GET_PDEATHSIG, libc::PR_GET_PDEATHSIG),
            (PR_GET_NAME, libc::PR_GET_NAME),
        ];
        for (ours, theirs) in options {
            assert_eq!(ours, theirs as usize);
        }
    }

    #[test]
    fn files_and_links_are_read_as_by_the_standard_library() {
        let comm = std::fs::read("/proc/thread-self/comm").unwrap();
        assert_eq!(read("/proc/thread-self/comm").unwrap(), comm);
        assert_eq!([super::comm(), b"\n".to_vec()].concat(), comm);
        let exe = std::fs::read_link("/proc/self/exe").unwrap();
        assert_eq!(
            read_link("/proc/self/exe").unwrap(),
            exe.as_os_str().as_encoded_bytes()
        );
        let exe = nix::sys::stat::stat("/proc/self/exe").unwrap();
        let (major, minor, inode) = identity("/proc/self/exe").unwrap();
        let device = libc::makedev(major, minor);
        assert_eq!((device, inode), (exe.st_dev, exe.st_ino));
        assert_eq!(identity("/nonexistent"), Err(Failed(libc::ENOENT)));
        assert_eq!(read("/nonexistent"), Err(Failed(libc::ENOENT)));
    }

    #[test]
    fn a_lock_of_ones_own_can_be_taken_again() {
        let file = tempfile::tempfile().unwrap();
        let fd = file.as_raw_fd();
        assert_eq!((lock(fd), lock(fd)), (Ok(()), Ok(())));
        assert_eq!(lock(-1), Err(Failed(libc::EBADF)));
    }

    #[test]
    fn a_process_knows_itself() {
        assert_eq!(process_id(), std::process::id().cast_signed());
        assert_eq!(thread_id(), nix::unistd::gettid().as_raw());
        assert_eq!(session_id(), nix::unistd::getsid(None).unwrap().as_raw());
        // The standard library gives every thread an alternate stack.
        assert!(alternate_stack().unwrap().is_some());
        assert_eq!(death_signal(), Ok(0));
        assert_eq!(prctl(PR_GET_DUMPABLE), Ok(1));
    }
}
