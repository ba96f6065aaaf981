//! A program start, as a scenario says it.

use std::convert::Infallible;
use std::ffi::CString;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::Mode;

/// How a program is started: the call, what it is given, and nothing else.
///
/// The child that makes the call has a fixed environment (`PATH`, `HOME` and `SHELL`), `/` as its working
/// directory, umask 022, `/dev/null` as its three standard descriptors and no other open one.
#[derive(Clone, Debug)]
pub struct Exec {
    call: Call,
    path: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Execve,
    Fexecve,
}

impl Exec {
    /// execve(2) of a path; its first argument is the path.
    ///
    /// # Errors
    ///
    /// A path with a NUL in it.
    pub fn path(path: impl AsRef<Path>) -> Result<Exec> {
        Exec::new(Call::Execve, path.as_ref())
    }

    /// fexecve(3) of a path: open it, then execveat(2) with an empty path on that descriptor, 3.
    ///
    /// The opening belongs to what is observed.
    ///
    /// # Errors
    ///
    /// A path with a NUL in it.
    pub fn descriptor(path: impl AsRef<Path>) -> Result<Exec> {
        Exec::new(Call::Fexecve, path.as_ref())
    }

    fn new(call: Call, path: &Path) -> Result<Exec> {
        use std::os::unix::ffi::OsStrExt as _;
        let path = CString::new(path.as_os_str().as_bytes())
            .with_context(|| format!("a NUL in the path {}", path.display()))?;
        let environment = [c"PATH=/usr/bin:/bin", c"HOME=/root", c"SHELL=/usr/bin/bash"];
        let environment = environment.map(ToOwned::to_owned).into();
        Ok(Exec {
            call,
            argv: vec![path.clone()],
            path,
            environment,
        })
    }

    /// Adds an argument.
    ///
    /// # Errors
    ///
    /// A NUL in it.
    pub fn arg(mut self, argument: &str) -> Result<Exec> {
        self.argv
            .push(CString::new(argument).context("a NUL in an argument")?);
        Ok(self)
    }

    /// Adds an environment variable.
    ///
    /// # Errors
    ///
    /// A NUL in it.
    pub fn env(mut self, name: &str, value: &str) -> Result<Exec> {
        let variable = CString::new(format!("{name}={value}")).context("a NUL in a variable")?;
        self.environment.push(variable);
        Ok(self)
    }

    /// Name of the call, for the trail.
    #[must_use]
    pub fn call(&self) -> &'static str {
        match self.call {
            Call::Execve => "execve",
            Call::Fexecve => "fexecve",
        }
    }

    /// What it is given, for the trail.
    #[must_use]
    pub fn what(&self) -> String {
        crate::trail::printable(self.path.as_bytes())
    }

    /// Makes the call, in the child; returns only when it fails.
    pub(super) fn make(&self) -> Result<Infallible, Errno> {
        match self.call {
            Call::Execve => nix::unistd::execve(&self.path, &self.argv, &self.environment),
            Call::Fexecve => {
                let file = open(self.path.as_c_str(), OFlag::O_RDONLY, Mode::empty())?;
                let flags = AtFlags::AT_EMPTY_PATH;
                nix::unistd::execveat(file, c"", &self.argv, &self.environment, flags)
            }
        }
    }
}
