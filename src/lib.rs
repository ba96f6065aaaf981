//! exetrail: when a program starts on Linux, what does an observer see, in which order, and under
//! whose name?
//!
//! The map of the code, from what uses nothing to what joins everything:
//!
//! | module | what it is | where to change what |
//! |---|---|---|
//! | [`trail`] | steps, their text, normalisation, records; pure | what a snapshot says |
//! | [`baseline`] | which snapshot applies, what a run adds | how snapshots are inherited |
//! | [`diff`] | what differs between two trails, or two lists of another view, in words; pure | how a change is told |
//! | [`stages`] | where inside the kernel a step falls: vocabulary, order, text, story; pure | what that view says |
//! | [`trace`] | the kernel's trace, as its ring buffer holds it: pages, formats, records; pure | how a record is read |
//! | [`event`] | what every other way of watching reports: one kind of event, its text, judgement; pure | what such a view says |
//! | [`view`] | the list of views, and records of what they saw; pure | how a view is judged, compared, shown |
//! | [`arch`] | what belongs to the architecture under test | |
//! | [`contract`] | what is claimed of a call, and its verdicts; pure | the table of claims |
//! | [`model`] | what the kernel and the loader will do, predicted; pure | the rules, and where kernels differ |
//! | [`wire`] | what host and guest tell each other | the record channel |
//! | [`citation`] | commits and quotations, each once | what a text cites |
//! | [`files`] | what a directory holds | |
//! | [`below`] | names that stay below a directory | what an archive or a table may name |
//! | [`bound`] | how much is read and unpacked at the most | the limits |
//! | [`btf`] | the kernel's types, as it describes them | |
//! | [`need`] | what a kernel or a lab must have, probed and judged | needs |
//! | [`elf`] | small ELF programs, with and without flaws | what Debian does not ship |
//! | [`proc`] | `/proc` of processes and mounts, read | what a file of `/proc` says |
//! | [`sys`] | every unsafe block | system calls that nix lacks |
//! | [`observer`] | ways of watching; `fanotify` is the monitor, `stages` traces the kernel | what is seen of a process |
//! | [`monitor`] | `exetrail monitor`: lines, filters, queue, syslog | the monitor as a tool |
//! | [`subject`] | the exec'd program, and what it says of itself | roles, fields of state |
//! | [`scenario`] | what a scenario file is written with | how programs are started, needs |
//! | [`case`] | a start and what surrounds it as data, and its text | what a case file may say |
//! | [`cases`] | randomly generated execs, shrunk, printed as scenarios | what is generated |
//! | [`hooks`] | what a kernel offers to hook, and when an exec passes it | `exetrail hooks` |
//! | [`guest`] | PID 1, runner, launcher in the kernel under test; keeper of the native lab | what happens around a scenario |
//! | [`native`] | the same scenarios on the running kernel | what keeps it apart from the machine |
//! | [`root`] | a guest's root that the user puts together | what `--add`, `--root`, `--packages` take |
//! | [`unpack`] | archives, unpacked below a directory | |
//! | [`vm`] | table, image, QEMU, one boot from start to end | how kernels are booted |
//! | [`fetch`] | from the tables to the cache, by Debian packages | what `vm/setup` brings |
//! | [`own`] | a suite of the user's own | `exetrail.toml` |
//! | [`project`] | checkout or built-in copies, cache | where things are looked for |
//! | [`warm`] | machines that were saved, in the cache | what a saved machine depends on |
//! | [`suite`] | kernels times scenarios, judged | what outcome a scenario gets |
//! | [`records`] | records kept in directories, one file each | how shards are joined |
//! | [`report`] | one file an output format | what a run prints |
//! | [`cli`] | one file a subcommand | the command line |
//!
//! Scenarios are in `scenarios/`, one file each; the test target that asserts their snapshots is
//! in `harness/`. `docs/architecture.md` tells the whole story.

#![cfg_attr(
    not(test),
    warn(clippy::print_stderr, reason = "it panics where nobody reads: tell!")
)]

extern crate alloc;

/// Tells a person something on standard error. One who does not listen any more is told nothing, and the work goes on:
/// `eprintln!` panics.
macro_rules! tell {
    ($($words:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stderr(), $($words)*);
    }};
}

pub mod arch;
#[cfg(test)]
mod arrows;
pub mod baseline;
pub mod below;
pub mod bound;
pub mod btf;
pub mod case;
pub mod cases;
pub mod citation;
pub mod cli;
pub mod contract;
pub mod diff;
pub mod elf;
pub mod event;
pub mod fetch;
pub mod files;
pub mod guest;
pub mod hooks;
pub mod model;
pub mod monitor;
pub mod native;
pub mod need;
pub mod observer;
pub mod own;
pub mod proc;
pub mod project;
pub mod records;
pub mod report;
pub mod root;
pub mod scenario;
#[cfg(test)]
mod schema;
pub mod stages;
pub mod subject;
pub mod suite;
pub mod sys;
pub mod trace;
pub mod trail;
pub mod unpack;
pub mod view;
pub mod vm;
pub mod warm;
pub mod wire;
