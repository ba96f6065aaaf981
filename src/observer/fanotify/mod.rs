//! The embedded monitor: fanotify permission events, answered only after the process was read.
//!
//! It is a process of its own, so that one that hangs can be killed, which releases everybody. It is
//! forked before the group exists and forks nobody, so that nobody inherits the group.
//! It opens nothing on the watched file system: `/proc` and its own program are other mounts.

mod count;
mod event;
mod group;
mod monitor;
mod notify;
mod observer;
mod process;
mod quiet;
mod watch;

pub use count::{forget_call, note_call, steps_before_call};
pub use event::{EventError, FanEvent, parse_events};
pub use group::{
    AT_ONCE, Class, Group, Ids, can_deny_with_errno, errnos_of_choice, more_descriptors,
};
pub use notify::KIND as NOTIFY;
pub use observer::KIND;
pub use process::{Parent, Process, named, process_of};
pub use quiet::never_dump;
