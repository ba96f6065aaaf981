//! What a call is given, and the calls themselves, in the child.

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};

use super::siblings::in_thread;
use crate::observer::fanotify::note_call;
use crate::sys::{self, Addresses, ForkResult, Invocation, Released, Spawn};

/// Path, arguments and environment of a start, with the ways to make it.
///
/// Each notes that the call begins here ([`Args::begin`]), so that a trail tells it from what came before. Every way returns only when it failed, except where it says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    path: &'a CStr,
    argv: &'a [CString],
    environment: &'a [CString],
}

impl<'a> Args<'a> {
    pub(super) fn new(path: &'a CStr, argv: &'a [CString], environment: &'a [CString]) -> Args<'a> {
        Args {
            path,
            argv,
            environment,
        }
    }

    /// The path that the scenario named.
    #[must_use]
    pub fn path(&self) -> &'a CStr {
        self.path
    }

    /// Notes that what the child does from now on is its call: for calls that are not one of these ways.
    pub fn begin(&self) {
        note_call();
    }

    /// execve(2) of the path.
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn execve(&self) -> nix::Result<()> {
        note_call();
        Invocation::new(self.argv, self.environment).execve(self.path)
    }

    /// execve(2) with addresses of choice instead of those of path, arguments and environment.
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn execve_at(&self, choose: impl FnOnce(&mut Addresses)) -> nix::Result<()> {
        note_call();
        Invocation::new(self.argv, self.environment).execve_at(self.path, choose)
    }

    /// execve(2) as 32-bit programs call it, by `int $0x80`.
    ///
    /// # Errors
    ///
    /// What the call says, or `ENOMEM` when there is no memory that 32 bits reach.
    pub fn execve_narrow(&self) -> nix::Result<()> {
        note_call();
        sys::execve_narrow(self.path, self.argv, self.environment)
    }

    /// What the C library's execve returns, and errno.
    #[must_use]
    pub fn library_execve(&self) -> (i32, Errno) {
        note_call();
        Invocation::new(self.argv, self.environment).library_execve(self.path)
    }

    /// What the system call itself returns.
    #[must_use]
    pub fn bare_execve(&self) -> isize {
        note_call();
        Invocation::new(self.argv, self.environment).bare_execve(self.path)
    }

    /// execveat(2); returns 0 with `AT_EXECVE_CHECK` when the check went well.
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn execveat(&self, dir: RawFd, path: &CStr, flags: i32) -> nix::Result<()> {
        note_call();
        Invocation::new(self.argv, self.environment).execveat(dir, path, flags)
    }

    /// execveat(2) with addresses of choice instead of those of path, arguments and environment.
    ///
    /// # Errors
    ///
    /// What the call says.
    pub fn execveat_at(
        &self,
        dir: RawFd,
        flags: i32,
        choose: impl FnOnce(&mut Addresses),
    ) -> nix::Result<()> {
        note_call();
        let invocation = Invocation::new(self.argv, self.environment);
        invocation.execveat_at(dir, self.path, flags, choose)
    }

    /// The path in a child that is made in this way, and then the child's end as one's own.
    ///
    /// # Errors
    ///
    /// What the call, or the exec in the child, says.
    pub fn spawn(&self, way: Spawn) -> nix::Result<()> {
        note_call();
        Invocation::new(self.argv, self.environment).spawn(self.path, way)
    }

    /// execve(2) in a forked child, as in a new pid namespace, and then its end as one's own.
    ///
    /// # Errors
    ///
    /// What fork(2) says; a child whose exec fails exits with the errno's number.
    pub fn execve_in_child(&self) -> nix::Result<()> {
        match sys::fork()? {
            ForkResult::Child => {
                let failed = self.execve().err().unwrap_or(Errno::UnknownErrno);
                sys::exit_now(failed as i32)
            }
            ForkResult::Parent { child } => match waitpid(child, None)? {
                WaitStatus::Exited(_, status) => sys::exit_now(status),
                _ => Err(Errno::EINTR),
            },
        }
    }

    /// vfork(2) of a child that executes the path, of a program that writes what it reads; how far it was when the parent went on.
    ///
    /// # Errors
    ///
    /// What the calls say.
    pub fn vfork_with_pipes(&self) -> nix::Result<Released> {
        note_call();
        Invocation::new(self.argv, self.environment).vfork_with_pipes(self.path)
    }

    /// execve(2) while another process shares working directory and root (clone(2), `CLONE_FS`).
    ///
    /// # Errors
    ///
    /// What the calls say.
    pub fn share_fs(&self) -> nix::Result<()> {
        sys::share_fs()?;
        self.execve()
    }

    /// execve(2) in a thread of this name that is not the leader.
    ///
    /// # Errors
    ///
    /// What the call says, or `EAGAIN` when there can be no thread.
    pub fn execve_in_thread(&self, name: &str) -> nix::Result<()> {
        in_thread(name, || self.execve())
    }
}
