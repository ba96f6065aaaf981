//! Filters that a process puts on its own calls: no program is started, or not unseen.

use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

/// `SECCOMP_RET_ERRNO`, `_USER_NOTIF`, `_TRACE` and `_ALLOW` of include/uapi/linux/seccomp.h.
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
/// Instructions of a filter: load a word, jump if equal, return (include/uapi/linux/filter.h).
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// `LANDLOCK_ACCESS_FS_EXECUTE` of include/uapi/linux/landlock.h.
const EXECUTE: u64 = 1;

/// Has execve(2) and execveat(2) of this process answered with an errno by a filter (seccomp(2)).
///
/// # Errors
///
/// What prctl(2) says.
pub fn filter_execve(errno: Errno) -> nix::Result<()> {
    super::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    install(&mut answer_execs(RET_ERRNO | errno as u32))
}

/// `AUDIT_ARCH_I386` of include/uapi/linux/audit.h; execve and execveat have other numbers there.
pub const I386: u32 = 0x4000_0003;
const I386_EXECVE: u32 = 11;
const I386_EXECVEAT: u32 = 358;

/// Has execve(2) and execveat(2) of this process, and of all that it starts, stop for a tracer; without one
/// they fail with ENOSYS.
///
/// Set-user-ID programs keep their privileges: the filter is put on by right, not with `no_new_privs`.
///
/// # Errors
///
/// `EACCES` without CAP_SYS_ADMIN.
pub fn stop_at_execs() -> nix::Result<()> {
    install(&mut answer_execs(RET_TRACE))
}

/// Answers execve(2) and execveat(2) so, of 64 and of 32 bits, and allows the other calls.
fn answer_execs(answer: u32) -> [libc::sock_filter; 10] {
    [
        // The architecture is the second field of `struct seccomp_data`, the number of the call is the first.
        instruction(LOAD, 0, 0, 4),
        instruction(JUMP_IF_EQUAL, 3, 0, I386),
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 4, 0, libc::SYS_execve as u32),
        instruction(JUMP_IF_EQUAL, 3, 4, libc::SYS_execveat as u32),
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 1, 0, I386_EXECVE),
        instruction(JUMP_IF_EQUAL, 0, 1, I386_EXECVEAT),
        instruction(RETURN, 0, 0, answer),
        instruction(RETURN, 0, 0, RET_ALLOW),
    ]
}

/// `struct seccomp_notif`: id, process, flags, and a call of 64 bytes.
#[repr(C)]
struct Notice {
    id: u64,
    pid: u32,
    flags: u32,
    call: [u64; 8],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

nix::ioctl_readwrite!(receive, b'!', 0, Notice);
nix::ioctl_readwrite!(send, b'!', 1, Response);

/// Where a filter tells of the execs of the thread that has put it on (seccomp_unotify(2)).
#[derive(Debug)]
pub struct Notices(OwnedFd);

impl Notices {
    /// Waits for a call, and lets it go on as if there were no filter.
    ///
    /// # Errors
    ///
    /// What the ioctls say.
    pub fn let_one_go(&self) -> nix::Result<()> {
        /// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
        const CONTINUE: u32 = 1;
        let mut notice = Notice {
            id: 0,
            pid: 0,
            flags: 0,
            call: [0; 8],
        };
        // SAFETY: both structs are those of the calls and live through them.
        unsafe {
            receive(self.0.as_raw_fd(), &raw mut notice)?;
            let mut response = Response {
                id: notice.id,
                value: 0,
                error: 0,
                flags: CONTINUE,
            };
            send(self.0.as_raw_fd(), &raw mut response)?;
        }
        Ok(())
    }
}

/// Has execve(2) and execveat(2) of this thread wait for who listens here.
///
/// # Errors
///
/// `EACCES` without CAP_SYS_ADMIN; `EBUSY` where another filter has such a listener.
pub fn notify_of_execs() -> nix::Result<Notices> {
    /// `SECCOMP_SET_MODE_FILTER` and `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
    const SET_FILTER: libc::c_uint = 1;
    const NEW_LISTENER: libc::c_ulong = 1 << 3;
    let mut filter = [
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 1, 0, libc::SYS_execve as u32),
        instruction(JUMP_IF_EQUAL, 0, 1, libc::SYS_execveat as u32),
        instruction(RETURN, 0, 0, RET_USER_NOTIF),
        instruction(RETURN, 0, 0, RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program and its instructions live through the call, which copies them.
    let fd = unsafe {
        let program = &raw const program;
        libc::syscall(libc::SYS_seccomp, SET_FILTER, NEW_LISTENER, program)
    };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    Ok(Notices(super::adopt_fd(fd)))
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// Puts a filter on this process; there is no way back.
fn install(filter: &mut [libc::sock_filter]) -> nix::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program and its instructions live through the call, which copies them.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    Errno::result(result).map(drop)
}

/// Takes the right to execute any file from this process (landlock(7)).
///
/// # Errors
///
/// What the calls say: `ENOSYS` or `EOPNOTSUPP` where the kernel has no Landlock.
pub fn execute_nothing() -> nix::Result<()> {
    let handled = EXECUTE;
    // SAFETY: the attributes are eight bytes that live through the call, which copies them; the other
    // call takes numbers.
    unsafe {
        let rules = libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const handled,
            size_of::<u64>(),
            0,
        );
        let rules = Errno::result(rules)?;
        super::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
        Errno::result(libc::syscall(libc::SYS_landlock_restrict_self, rules, 0)).map(drop)
    }
}

/// Whether this kernel has Landlock, and has it switched on.
#[must_use]
pub fn has_landlock() -> bool {
    /// Asks for the version of the interface (`LANDLOCK_CREATE_RULESET_VERSION`).
    const VERSION: u32 = 1;
    let none = std::ptr::null::<u64>();
    // SAFETY: with this flag the call takes no attributes.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    version > 0
}
