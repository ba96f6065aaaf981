//! What a guest says, one JSON object a line.

use serde::{Deserialize, Serialize};

use crate::stages::Packed;
use crate::trail::{Agreement, Trail};

/// One line on the record channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "lowercase")]
pub enum Message {
    /// PID 1 is up.
    Hello {
        /// What uname(2) says of the kernel.
        release: String,
        /// The build, with the distribution's version in it.
        version: String,
    },
    /// A scenario begins.
    Started {
        /// Its name.
        scenario: String,
    },
    /// A scenario has ended.
    Finished {
        /// Its name.
        scenario: String,
        /// What was seen, or why nothing was.
        result: Result<Box<Trail>, Failure>,
        /// How it agrees with the model.
        model: Option<Agreement>,
        /// What was seen inside the kernel; none where nobody looked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inside: Option<Result<Packed, Failure>>,
    },
    /// A generated case has ended.
    Case {
        /// Its seed.
        seed: u64,
        /// How it agrees with the model; nothing when it could not begin, or why it broke.
        result: Result<Option<Agreement>, String>,
        /// Where it does not agree: the smallest case that does not.
        shrunk: Option<Shrunk>,
    },
    /// A piece of what the command of `exetrail boot` wrote.
    Output {
        /// Where it wrote.
        stream: Stream,
        /// What it wrote.
        bytes: Vec<u8>,
    },
    /// The command of `exetrail boot` has ended.
    Exited {
        /// Exit status; 128 and the signal's number for a command that a signal ended.
        status: u8,
    },
    /// The guest gave up before it could do what it was asked.
    Failed {
        /// Why.
        reason: String,
    },
    /// Everything is done.
    Done,
}

/// The smallest case that the model does not agree with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shrunk {
    /// The case as a scenario file.
    pub source: String,
    /// What was seen.
    pub trail: String,
    /// Where the model disagrees.
    pub disagreements: Vec<String>,
}

/// Why a scenario gave no trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// These needs are not met, says the guest's own probe.
    Unsupported(Vec<String>),
    /// Our side failed.
    Broken(String),
}

/// Where a command wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
