//! What the monitor does other than looking: how it answers one of the events.

use serde::{Deserialize, Serialize};

/// The permission event that gets another response than FAN_ALLOW.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Which event since the watch began, from 1.
    pub nth: usize,
    /// What is done with it.
    pub act: Act,
}

/// What is done with an event that is not simply allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// `FAN_DENY`: the opener gets EPERM.
    Deny,
    /// `FAN_DENY`, and again for every later event of the same file.
    File,
    /// `FAN_DENY_ERRNO` with this number.
    Errno(i32),
    /// The monitor ends without an answer.
    Die,
    /// The process that waits is killed before it is answered.
    Kill,
    /// The process that waits is sent this signal, which does not end the wait, and allowed.
    Signal(i32),
    /// The process that waits is sent SIGUSR1 and let go when this later event, from 1, has come; it
    /// is looked at again then.
    Late(usize),
}
