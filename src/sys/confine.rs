//! Ways in which a process refuses itself to start programs.

use nix::errno::Errno;
use nix::libc;

/// `SECCOMP_RET_ERRNO` and `SECCOMP_RET_ALLOW` of include/uapi/linux/seccomp.h.
const RET_ERRNO: u32 = 0x0005_0000;
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
    let instruction = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        // The number of the call is the first field of `struct seccomp_data`.
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 1, 0, libc::SYS_execve as u32),
        instruction(JUMP_IF_EQUAL, 0, 1, libc::SYS_execveat as u32),
        instruction(RETURN, 0, 0, RET_ERRNO | errno as u32),
        instruction(RETURN, 0, 0, RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    super::prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
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
