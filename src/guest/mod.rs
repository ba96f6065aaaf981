//! What runs inside the kernel under test.
//!
//! [`main`] is the entry of `/exetrail/launcher`. Started by the kernel, [`init`] builds the
//! scenarios' root and executes the same file again from there as the [`runner`]. For each
//! scenario that forks a launcher, in which the scenario's code runs, and a monitor. Nothing about
//! snapshots is in here: the host alone compares.

mod chance;
mod channel;
mod command;
mod fault;
mod init;
mod launcher;
mod leftover;
mod look;
mod observers;
mod report;
mod runner;
mod state;
mod subject;
mod undo;
mod unpack;

use std::process::ExitCode;

pub use look::{Contents, View, flags as open_flags, running_kernel};
pub use state::{is_known as is_known_state, look as state};
pub use subject::{ROLE, Role, TELL_FD, main as play, say};
pub use undo::knows_format;
pub use unpack::unpack;

use crate::trail::Lab;

/// Where our own files are, on a mount that nobody watches.
pub const HOME: &str = "/exetrail";
/// Name of the program there, and so the exe and comm of what starts the scenarios.
pub const PROGRAM: &str = "/exetrail/launcher";

/// Whether this process is a guest's: the program was started as `launcher`.
#[must_use]
pub fn is_guest() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    std::path::Path::new(&name)
        .file_name()
        .is_some_and(|name| name == "launcher")
}

/// The entry of PID 1.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (role, detail) = (arguments.next(), arguments.next());
    if role.as_deref() == Some("keeper") {
        return crate::native::keeper::main(detail.as_deref());
    }
    // What follows kills every process that it sees, and ends the machine.
    if std::process::id() != 1 {
        eprintln!("exetrail: under the name of \"launcher\" it is PID 1 of a lab and nothing else");
        return ExitCode::from(2);
    }
    match (role.as_deref(), detail.as_deref()) {
        (Some("runner"), Some("native")) => runner::main(Lab::Native),
        (Some("runner"), _) => runner::main(Lab::Vm),
        _ => init::main(),
    }
}
