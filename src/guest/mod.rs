//! What runs inside the kernel under test.
//!
//! [`main`] is the entry of `/exetrail/launcher`. Started by the kernel, [`init`] builds the
//! scenarios' root and executes the same file again from there as the [`runner`]. For each
//! scenario that forks a launcher, in which the scenario's code runs, and a monitor. Nothing about
//! snapshots is in here: the host alone compares.

mod channel;
mod command;
mod init;
mod launcher;
mod leftover;
mod report;
mod runner;
mod subject;
mod undo;
mod unpack;

use std::process::ExitCode;

pub use subject::{ROLE, Role, TELL_FD, main as play};
pub use undo::knows_format;
pub use unpack::unpack;

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
    match std::env::args().nth(1).as_deref() {
        Some("runner") => runner::main(),
        _ => init::main(),
    }
}
