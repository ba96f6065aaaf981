//! Everything that one way of watching reports of a scenario.

use serde::{Deserialize, Serialize};

use super::{Field, Fields};

/// What happened, as the way of watching has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A call that asks for an exec begins.
    Call,
    /// Such a call comes back.
    Return,
    /// A file was opened for execution.
    Open,
    /// The exec passes a place inside the kernel.
    Inside,
    /// A program was executed.
    Exec,
    /// A process was started.
    Fork,
    /// A thread was started.
    Thread,
    /// A process or a thread ended.
    Exit,
    /// A process changed its comm.
    Comm,
    /// A process changed its ids.
    Ids,
    /// A process began a session.
    Session,
    /// A process became the tracee of another, or was let go.
    Trace,
    /// A process dumps core.
    Dump,
    /// What `/proc`, or a library in it, said of a process.
    Look,
    /// `/proc` has nothing of a process any more.
    Gone,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 15] = [
        Kind::Call,
        Kind::Return,
        Kind::Open,
        Kind::Inside,
        Kind::Exec,
        Kind::Fork,
        Kind::Thread,
        Kind::Exit,
        Kind::Comm,
        Kind::Ids,
        Kind::Session,
        Kind::Trace,
        Kind::Dump,
        Kind::Look,
        Kind::Gone,
    ];

    /// The kind as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Return => "return",
            Kind::Open => "open",
            Kind::Inside => "inside",
            Kind::Exec => "exec",
            Kind::Fork => "fork",
            Kind::Thread => "thread",
            Kind::Exit => "exit",
            Kind::Comm => "comm",
            Kind::Ids => "ids",
            Kind::Session => "session",
            Kind::Trace => "trace",
            Kind::Dump => "dump",
            Kind::Look => "look",
            Kind::Gone => "gone",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn find(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One thing that a way of watching reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// Name of the process, as in the trail; `unseen1` and so on for those of the tree that the trail does not have.
    pub process: String,
    /// Whether a thread other than the first one is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub thread: bool,
    /// How many steps of that process the trail has before; none where the way does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
    /// What reported it: a tracepoint, a kernel function, a kind of record or message.
    pub source: String,
    /// What it tells.
    pub fields: Fields,
}

impl Event {
    /// A field; none where it is not told.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&str> {
        self.fields.get(&field).map(String::as_str)
    }
}

/// What one way of watching reports of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Why it is never called, although it is attached: by the kernel's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deaf: Option<String>,
    /// What this kernel does not offer of what it would listen to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// Events, grouped by process in the order of the trail; inside a group in the order of the way.
    pub events: Vec<Event>,
    /// What an agent of a user's costs and disturbs; chance is in it, so that no text has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What it has changed of the trail: lines that are gone after `- `, lines that have come after `+ `. None for
    /// a way that changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footprint: Option<Vec<String>>,
}

/// What it costs to have an agent beside a program, in the guest where it was measured, and what else it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// What a small program takes without the agent and beside it, in several rounds.
    pub rounds: Vec<Round>,
    /// How many files on watched file systems it opened itself during the scenario.
    pub opens: u64,
    /// It had not told of the last exec when its time for late lines was over.
    pub late: bool,
    /// The last lines of what it wrote to standard error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// One round of the measurement of what an agent costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The quickest start and end of a small program before the agent was there, in microseconds.
    pub alone_us: u64,
    /// The same beside the agent.
    pub beside_us: u64,
}
