//! Ways to become a program that nix does not offer in a safe form, and to share memory meanwhile.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::WaitPidFlag;

/// `AT_EXECVE_CHECK` of include/uapi/linux/fcntl.h: check, do not execute.
pub const AT_EXECVE_CHECK: i32 = 0x10000;

/// A program with its arguments and its environment, as the kernel wants them.
#[derive(Clone, Debug)]
pub struct Invocation<'a> {
    argv: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    // The pointers point into these.
    strings: std::marker::PhantomData<&'a CString>,
}

impl<'a> Invocation<'a> {
    /// Points at the strings.
    #[must_use]
    pub fn new(argv: &'a [CString], environment: &'a [CString]) -> Invocation<'a> {
        let pointers = |strings: &'a [CString]| {
            let all = strings.iter().map(|string| string.as_ptr());
            all.chain([std::ptr::null()]).collect()
        };
        Invocation {
            argv: pointers(argv),
            environment: pointers(environment),
            strings: std::marker::PhantomData,
        }
    }

    /// execve(2); returns when it failed.
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn execve(&self, path: &CStr) -> nix::Result<()> {
        // SAFETY: both arrays end with a null pointer and their strings live as long as `self`.
        let result =
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.environment.as_ptr()) };
        Errno::result(result).map(drop)
    }

    /// execveat(2); returns when it failed, or when `AT_EXECVE_CHECK` only asked.
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn execveat(&self, dir: RawFd, path: &CStr, flags: i32) -> nix::Result<()> {
        self.execveat_at(dir, path, flags, |_| ())
    }

    /// As [`Invocation::execveat`], with addresses of choice, which need not be any.
    ///
    /// # Errors
    ///
    /// What the call says: `EFAULT` for an address that the kernel cannot read.
    pub fn execveat_at(
        &self,
        dir: RawFd,
        path: &CStr,
        flags: i32,
        choose: impl FnOnce(&mut Addresses),
    ) -> nix::Result<()> {
        let addresses = self.addresses(path, choose);
        // SAFETY: the kernel checks every address that it reads, and writes to none.
        let result = unsafe {
            libc::syscall(
                libc::SYS_execveat,
                dir,
                addresses.path,
                addresses.argv,
                addresses.environment,
                flags,
            )
        };
        Errno::result(result).map(drop)
    }

    /// execve(2) with addresses of choice, which need not be any; returns when it failed.
    ///
    /// # Errors
    ///
    /// What the call says: `EFAULT` for an address that the kernel cannot read.
    pub fn execve_at(&self, path: &CStr, choose: impl FnOnce(&mut Addresses)) -> nix::Result<()> {
        let addresses = self.addresses(path, choose);
        // SAFETY: the kernel checks every address that it reads, and writes to none.
        let result = unsafe {
            libc::syscall(
                libc::SYS_execve,
                addresses.path,
                addresses.argv,
                addresses.environment,
            )
        };
        Errno::result(result).map(drop)
    }

    fn addresses(&self, path: &CStr, choose: impl FnOnce(&mut Addresses)) -> Addresses {
        let mut addresses = Addresses {
            path: path.as_ptr().expose_provenance(),
            argv: self.argv.as_ptr().expose_provenance(),
            environment: self.environment.as_ptr().expose_provenance(),
        };
        choose(&mut addresses);
        addresses
    }

    /// What the C library's execve returns when it failed, and errno.
    #[must_use]
    pub fn library_execve(&self, path: &CStr) -> (i32, Errno) {
        // SAFETY: both arrays end with a null pointer and their strings live as long as `self`.
        let result =
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.environment.as_ptr()) };
        (result, Errno::last())
    }

    /// What the system call itself leaves in the register, without a library in between.
    #[must_use]
    pub fn bare_execve(&self, path: &CStr) -> isize {
        let mut result = libc::SYS_execve as isize;
        // SAFETY: as above; the instruction changes rax, rcx and r11 and no memory of ours.
        unsafe {
            std::arch::asm!(
                "syscall",
                inout("rax") result,
                in("rdi") path.as_ptr(),
                in("rsi") self.argv.as_ptr(),
                in("rdx") self.environment.as_ptr(),
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        result
    }

    /// Starts a child that executes the path at once, and waits for it: vfork(2), posix_spawn(3) or
    /// clone(2), as `way` says. Ends the calling process as the child ended.
    ///
    /// # Errors
    ///
    /// What the call, or the exec in the child, says.
    pub fn spawn(&self, path: &CStr, way: Spawn) -> nix::Result<()> {
        let failed = super::shared_word()?;
        let pid = match way {
            Spawn::PosixSpawn => self.posix_spawn(path)?,
            Spawn::Vfork => self.clone(path, libc::CLONE_VM | libc::CLONE_VFORK, failed)?,
            Spawn::SharedMemory => self.clone(path, libc::CLONE_VM, failed)?,
            Spawn::Untraced => self.clone(path, libc::CLONE_UNTRACED, failed)?,
        };
        let mut status = 0;
        // SAFETY: the status is a valid place for an integer.
        Errno::result(unsafe { libc::waitpid(pid, &raw mut status, 0) })?;
        if let Some(errno) = errno_in(failed) {
            return Err(errno);
        }
        match libc::WIFEXITED(status) {
            true => super::exit_now(libc::WEXITSTATUS(status)),
            false => Err(Errno::EINTR),
        }
    }

    /// vfork(2) of a child that executes the path, of a program that writes what it reads, with input and output on pipes whose
    /// other ends the parent has; how far the child was when the parent went on. Reaps the child.
    ///
    /// # Errors
    ///
    /// What the calls say.
    pub fn vfork_with_pipes(&self, path: &CStr) -> nix::Result<Released> {
        let pipe = || nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC);
        let ((input, end), (answer, output)) = (pipe()?, pipe()?);
        // The parent's own input and output are of no use to it.
        super::lend_fd(input.as_fd(), 0)?;
        super::lend_fd(output.as_fd(), 1)?;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK;
        let failed = super::shared_word()?;
        let pid = self.clone(path, flags, failed)?;
        let had_failed = errno_in(failed).is_some();
        // The end of the answer is the child's to say.
        drop(output);
        nix::unistd::close(1)?;
        nix::unistd::write(&end, b"?")?;
        let answered = nix::unistd::read(&answer, &mut [0])? == 1;
        drop(end);
        let child = Some(nix::unistd::Pid::from_raw(pid));
        let status = super::reap(child, WaitPidFlag::empty())?;
        let ran = answered && status.is_some_and(|(_, status)| status.success());
        Ok(match (had_failed, ran) {
            (true, _) => Released::Failed,
            (false, true) => Released::Runs,
            (false, false) => Released::Ended,
        })
    }

    fn posix_spawn(&self, path: &CStr) -> nix::Result<libc::pid_t> {
        let mut pid = 0;
        // SAFETY: both arrays end with a null pointer, their strings live as long as `self`, and
        // null stands for no actions and no attributes.
        let error = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                path.as_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                self.argv.as_ptr().cast(),
                self.environment.as_ptr().cast(),
            )
        };
        match error {
            0 => Ok(pid),
            error => Err(Errno::from_raw(error)),
        }
    }

    /// Returns when the child has become a program or has ended; `failed`, which both have whatever the flags, then
    /// holds the errno of a call that failed.
    fn clone(
        &self,
        path: &CStr,
        flags: libc::c_int,
        failed: &'static AtomicU32,
    ) -> nix::Result<libc::pid_t> {
        /// What the child needs, on the parent's stack, which it shares or has a copy of.
        struct Order<'a> {
            path: &'a CStr,
            argv: *const *const libc::c_char,
            environment: *const *const libc::c_char,
            failed: &'static AtomicU32,
        }
        extern "C" fn child(order: *mut libc::c_void) -> libc::c_int {
            // SAFETY: the parent waits for this child with the order on its stack.
            unsafe {
                let order = &*order.cast::<Order<'_>>();
                libc::execve(order.path.as_ptr(), order.argv, order.environment);
                order
                    .failed
                    .store(Errno::last_raw().unsigned_abs(), Ordering::SeqCst);
            }
            libc::EXIT_FAILURE
        }
        let mut order = Order {
            path,
            argv: self.argv.as_ptr(),
            environment: self.environment.as_ptr(),
            failed,
        };
        let mut stack = vec![0_u128; 4096];
        // SAFETY: the child gets a stack of its own, of 64 KiB, calls execve only, and is waited
        // for before stack and order go away. It may share memory, but not the signal handlers.
        let pid = unsafe {
            libc::clone(
                child,
                stack.as_mut_ptr_range().end.cast(),
                flags | libc::SIGCHLD,
                (&raw mut order).cast(),
            )
        };
        let pid = Errno::result(pid)?;
        if flags & libc::CLONE_VFORK == 0 {
            // The child may not have come to its exec yet: stack and order stay until it has ended.
            wait_for_end(pid)?;
        }
        Ok(pid)
    }
}

/// Where the three arguments of execve(2), and of execveat(2), are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The path.
    pub path: usize,
    /// The array of arguments.
    pub argv: usize,
    /// The array of variables.
    pub environment: usize,
}

/// How far the child of a vfork was when its parent went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// Its call had failed.
    Failed,
    /// Its program ran, and answered the parent.
    Runs,
    /// It ended without an answer.
    Ended,
}

/// How a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawn {
    /// vfork(2): the parent stands still and lends its memory (`CLONE_VM | CLONE_VFORK`).
    Vfork,
    /// posix_spawn(3).
    PosixSpawn,
    /// clone(2) with `CLONE_VM` alone: both run in the same memory.
    SharedMemory,
    /// clone(2) with `CLONE_UNTRACED`: a fork that no tracer of the parent's follows.
    Untraced,
}

/// What a child has put there whose call failed.
fn errno_in(failed: &AtomicU32) -> Option<Errno> {
    let errno = i32::try_from(failed.load(Ordering::SeqCst)).ok()?;
    (errno != 0).then(|| Errno::from_raw(errno))
}

/// Waits until a child has ended, without reaping it.
fn wait_for_end(pid: libc::pid_t) -> nix::Result<()> {
    // SAFETY: all zeros is a valid siginfo_t, and the call fills it.
    let result = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(
            libc::P_PID,
            pid.unsigned_abs(),
            &raw mut info,
            libc::WEXITED | libc::WNOWAIT,
        )
    };
    Errno::result(result).map(drop)
}

/// An entry of the auxiliary vector (getauxval(3)); none when there is no such entry.
#[must_use]
pub fn auxv(kind: u64) -> Option<u64> {
    // A static program finds its vector without opening a file; 0 with ENOENT means "no entry".
    Errno::clear();
    // SAFETY: the call takes an integer and reads the process's own vector.
    let value = unsafe { libc::getauxval(kind) };
    (value != 0 || Errno::last() != Errno::ENOENT).then_some(value)
}

/// Asks for a stream socket of a family by its number, and closes it again (socket(2)).
///
/// # Errors
///
/// `EAFNOSUPPORT` when no module brought the family.
pub fn socket(family: i32) -> nix::Result<()> {
    // SAFETY: the call takes integers.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    Errno::result(fd).map(|fd| drop(super::adopt_fd(fd)))
}

/// Makes a netlink socket of a protocol by its number, of which nix knows not all (netlink(7)).
///
/// # Errors
///
/// `EPROTONOSUPPORT` when the kernel does not have the protocol.
pub fn netlink(protocol: i32) -> nix::Result<std::os::fd::OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes integers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
    Errno::result(fd).map(super::adopt_fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_whose_call_fails_tells_its_errno() {
        let nothing = Invocation::new(&[], &[]);
        for way in [
            Spawn::Vfork,
            Spawn::PosixSpawn,
            Spawn::SharedMemory,
            Spawn::Untraced,
        ] {
            let none = nothing.spawn(c"/nonexistent/program", way);
            assert_eq!(none, Err(Errno::ENOENT), "{way:?}");
            let directory = nothing.spawn(c"/", way);
            assert_eq!(directory, Err(Errno::EACCES), "{way:?}");
        }
    }
}
