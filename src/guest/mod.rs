//! What runs inside the kernel under test.
//!
//! [`main`] is the entry of `/exetrail/launcher` (`src/bin/exetrail-launcher.rs`). Executed by the kernel, [`init`] builds the
//! scenarios' root and executes the same file again from there as the [`runner`]. For each
//! scenario that forks a launcher, in which the scenario's code runs, and a monitor. Nothing about
//! snapshots is in here: the host alone compares.

mod cgroup;
mod chance;
mod channel;
mod clearing;
mod command;
mod fault;
mod init;
pub mod keeper;
mod launcher;
mod leftover;
mod limits;
mod observers;
mod orders;
mod output;
mod pack;
mod report;
mod root;
mod runner;
mod session;
mod still;
mod task;
mod undo;
mod unfinished;

use std::process::ExitCode;

pub use cgroup::{left, sweep_all};

use crate::scenario::{FileView, Inspected, running_kernel};
use crate::subject::{ROLE, Role};
use crate::trail::LabKind;
use crate::wire::{HOME, IDENTITY};

/// The entry of the launcher.
#[must_use]
pub fn main() -> ExitCode {
    // A scenario that wants a crash outside of what is watched executes this very file.
    let role = std::env::var_os(ROLE);
    if role.is_some_and(|role| Role::of_name(role.as_encoded_bytes()) == Some(Role::Crash)) {
        std::process::abort();
    }
    let mut arguments = std::env::args().skip(1);
    let (role, detail) = (arguments.next(), arguments.next());
    if role.as_deref() == Some("keeper") {
        return keeper::main(detail.as_deref());
    }
    // What follows kills every process that it sees, and ends the machine.
    if std::process::id() != 1 {
        tell!("exetrail: this is PID 1 of a lab and nothing else ({IDENTITY})");
        return ExitCode::from(2);
    }
    match (role.as_deref(), detail.as_deref()) {
        (Some("runner"), Some("native")) => runner::main(LabKind::Native),
        (Some("runner"), _) => runner::main(LabKind::Vm),
        _ => init::main(),
    }
}
