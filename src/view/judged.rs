//! How what a view saw compares with the snapshot that applies.

use serde::{Deserialize, Serialize};

use crate::trail::{KernelId, Outcome};

/// What a body was compared with, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// The kernel whose snapshot applies; none for what is new.
    pub owner: Option<KernelId>,
    /// The difference as a unified diff; the whole text for what is new, none for what is the same.
    pub diff: Option<String>,
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Same, changed or new; broken when the snapshots cannot be read.
    pub outcome: Outcome,
    /// Why it is broken.
    pub reason: Option<String>,
    /// What it was compared with.
    pub judged: Judged,
}
