//! Our own program as the one that is started: what scenarios need and Debian does not ship.
//!
//! It is static and opens nothing, so that it adds no step to a trail. A variable of the
//! environment says that it is meant, because argument, name and path are what is under test.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use crate::sys::{self, Entry, STATE};
use crate::trail::{Fact, Told, Word, printable};

/// The variable that names the role.
pub const ROLE: &str = "EXETRAIL_ROLE";
/// Where the report goes.
pub const TELL_FD: i32 = 101;

/// What our own program does when it is started by a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Says what it was told and exits with 0.
    Report,
    /// Says what it finds of its own state and exits with 0.
    State,
    /// Exits with 0.
    Exit,
    /// Dies of SIGABRT.
    Crash,
}

impl Role {
    /// The value of [`ROLE`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Report => "report",
            Role::State => "state",
            Role::Exit => "exit",
            Role::Crash => "crash",
        }
    }

    /// The role that this process was started in; none for the command and for PID 1.
    #[must_use]
    pub fn of_this_process() -> Option<Role> {
        let name = std::env::var_os(ROLE)?;
        let roles = [Role::Report, Role::State, Role::Exit, Role::Crash];
        roles.into_iter().find(|role| name == role.name())
    }
}

/// Plays a role.
#[must_use]
pub fn main(role: Role) -> ExitCode {
    match role {
        Role::Report => match report() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(99),
        },
        Role::State => match state() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(99),
        },
        Role::Exit => ExitCode::SUCCESS,
        Role::Crash => std::process::abort(),
    }
}

/// Says how this program found itself before `main`.
fn state() -> std::io::Result<()> {
    let names = std::env::var(STATE.to_string_lossy().as_ref()).unwrap_or_default();
    let entry = Entry::at_start().cloned().unwrap_or_else(Entry::now);
    say(None, super::state(&names, &entry))
}

/// Writes what this program was told.
fn report() -> std::io::Result<()> {
    let text = |bytes: &[u8]| printable(bytes);
    let link = |path: String| fs::read_link(path).ok();
    let path = |path: std::path::PathBuf| text(path.as_os_str().as_bytes());
    let execfd = sys::auxv_execfd();
    let comm = nix::sys::prctl::get_name().unwrap_or_default();
    let argv: Vec<OsString> = std::env::args_os().collect();
    let told = Told {
        execfn: sys::auxv_execfn().map(|name| text(&name)),
        execfd,
        execfd_path: execfd.and_then(|fd| link(format!("/proc/self/fd/{fd}")).map(path)),
        comm: text(comm.to_bytes()),
        exe: link("/proc/self/exe".to_owned()).map(path),
        argv: argv
            .iter()
            .map(|argument| text(argument.as_bytes()))
            .collect(),
    };
    say(Some(told), Vec::new())
}

/// Writes what this process has to say as one line, to who started the scenario.
///
/// # Errors
///
/// Nobody listens.
pub fn say(told: Option<Told>, found: Vec<Fact>) -> std::io::Result<()> {
    let word = Word {
        pid: nix::unistd::getpid().as_raw(),
        told,
        found,
    };
    let mut line = serde_json::to_vec(&word)?;
    line.push(b'\n');
    // The descriptor stays open: there may be more to say.
    let mut pipe = std::mem::ManuallyDrop::new(fs::File::from(sys::adopt_fd(TELL_FD)));
    pipe.write_all(&line)
}
