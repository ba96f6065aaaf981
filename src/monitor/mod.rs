//! The monitor as a tool: opens on a mount or a file system, held, looked at, answered, and then shown.
//!
//! | file | what it is |
//! |---|---|
//! | `options` | what is asked for |
//! | `command`, `program` | the program after `--`, forked before anything can hold it |
//! | `answer` | the thread that answers |
//! | `look` | what is read of a process while it is held |
//! | `filter`, `tree` | what of it is shown |
//! | `queue` | bounded, between the thread that answers and the one that writes |
//! | `writer`, `line`, `output`, `syslog` | from what was seen to lines, and where they go |
//! | `census`, `summary` | what is counted |
//! | `run` | the order in which everything comes into place |
//! | `threads` | the three threads and their ends |
//! | `control`, `wish` | signals, time, the end |
//! | `place` | the mount that is watched, and what of it is shown |
//! | `guard`, `pulse`, `cgroup`, `signals` | who ends a monitor that stands still |
//! | `rescue` | who lets everybody go when a look into `/proc` does not come back |
//!
//! What must stay true, because a watched system stands still when it is not:
//! - the answering thread opens nothing but `/proc`, and never waits for the queue, the output or a
//!   lock that a writer holds;
//! - everything that is written to is open before the group exists; a write is no open;
//! - the group is closed by the thread that answers, when the watch ends, or by the rescuer, while that one
//!   looks into `/proc` and does not come back: its number stays taken, so that nobody reads or answers by another's descriptor;
//! - no process but the monitor has the group, and nothing is forked while it exists: when it ends,
//!   by whatever signal, the kernel releases everybody;
//! - a monitor that stands still is sent SIGKILL: by the guard, and should that stand still as well, by a
//!   timer of the kernel's.

mod answer;
mod census;
mod cgroup;
mod command;
mod control;
mod filter;
mod guard;
mod line;
mod look;
mod options;
mod output;
mod place;
mod program;
mod pulse;
mod queue;
mod rescue;
mod run;
mod signals;
mod summary;
mod syslog;
mod threads;
mod tree;
mod wish;
mod writer;

pub use filter::Filter;
pub use options::{Destination, LineFormat, Options, Scope};
pub use run::run;
pub use summary::Summary;

/// Exit status when a watch ended that should have gone on: nothing is held, and nothing is seen.
pub const UNWATCHED: u8 = 3;
