//! The monitor as a tool: every open on a mount, held, looked at, answered, and then shown.
//!
//! | file | what it is |
//! |---|---|
//! | `options` | what is asked for |
//! | `command`, `program` | the program after `--`, forked before anything can hold it |
//! | `answer` | the thread that answers; it waits for nothing but events |
//! | `look` | what is read of a process while it is held |
//! | `filter`, `tree` | what of it is shown |
//! | `queue` | bounded, between the thread that answers and the one that writes |
//! | `writer`, `line`, `output`, `syslog` | from what was seen to lines, and where they go |
//! | `census`, `summary` | what is counted |
//! | `control` | signals, time, the end |
//!
//! What must stay true, because a watched system stands still when it is not:
//! - the answering thread opens nothing but `/proc`, and never waits for the queue, the output or a
//!   lock that a writer holds;
//! - everything that is written to is open before the group exists; a write is no open;
//! - no process but this one has the group, and nothing is forked while it exists: when this
//!   process ends, by whatever signal, the kernel lets everybody go.

mod answer;
mod census;
mod command;
mod control;
mod filter;
mod line;
mod look;
mod options;
mod output;
mod program;
mod queue;
mod summary;
mod syslog;
mod tree;
mod writer;

pub use control::{Ending, run};
pub use filter::Filter;
pub use options::{LineFormat, Options, Scope, Target};
pub use summary::Summary;
