//! What a guest says, one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::Wrote;
use crate::case::Case;
use crate::trail::Agreement;

/// One line on the record channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "lowercase")]
pub enum Message {
    /// PID 1 has done what it was told, and waits for an [`Order`](super::Order).
    Ready {
        /// Milliseconds since its boot, by its own clock.
        up_ms: u64,
    },
    /// PID 1 is up and knows its plan.
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
        /// What each observer saw that was armed; the trail is the first.
        seen: Vec<Sent>,
        /// How the trail agrees with the model.
        model: Option<Agreement>,
        /// What its programs wrote, where that is wanted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        output: Vec<Wrote>,
    },
    /// A generated case has ended.
    Case {
        /// Its seed.
        seed: u64,
        /// How it agrees with the model; nothing when it could not begin, or why it broke.
        result: Result<Option<Agreement>, String>,
        /// Where it does not agree: the smallest case that does not.
        shrunk: Option<Shrunk>,
        /// How often each rule of the model was applied.
        reach: BTreeMap<String, u64>,
        /// What the model was told of each start, where that is wanted; the host need not understand it.
        kept: Vec<Value>,
    },
    /// A piece of what the command of `exetrail boot` wrote.
    Output {
        /// Where it wrote.
        stream: Stream,
        /// What it wrote.
        #[serde(with = "super::bytes")]
        bytes: Vec<u8>,
    },
    /// The command of `exetrail boot` takes more input.
    More,
    /// A piece of an archive of what is fetched from the guest.
    Piece {
        /// The path in the guest.
        place: String,
        /// The next bytes of the cpio archive.
        #[serde(with = "super::bytes")]
        bytes: Vec<u8>,
    },
    /// The archive of a path is whole.
    Fetched {
        /// The path in the guest.
        place: String,
        /// Why it is not.
        result: Result<(), String>,
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
    /// The case.
    pub case: Box<Case>,
    /// What was seen.
    pub trail: String,
    /// Where the model disagrees.
    pub disagreements: Vec<String>,
}

/// What one observer saw of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its view.
    pub view: String,
    /// The view's body, or why there is none.
    pub result: Result<Value, Failure>,
    /// What the observer knows to have missed.
    #[serde(default)]
    pub lost: Lost,
}

/// What an observer knows to have missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How many reports.
    pub missed: u64,
    /// How often it was not called where it should have been, for this process or for another: it cannot tell.
    #[serde(default)]
    pub left_out: u64,
}

/// Why nothing was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// These needs are not met, says the guest's own probe.
    Unsupported(Vec<String>),
    /// Somebody else has what is needed, and no configuration tells; in words.
    Taken(String),
    /// Our side failed.
    Broken(String),
    /// It did not end in its time.
    Unfinished {
        /// What is known of that.
        reason: String,
        /// The body of what was seen until then.
        seen: Value,
    },
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
