//! What a process does to itself so that somebody can watch it who would not see it otherwise.

use serde::{Deserialize, Serialize};

/// What the child does before it makes the call of a scenario, for an observer that changes what it watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Submit {
    /// Has its execs stop for a tracer, and waits until the one traces it that listens at this abstract
    /// socket.
    Tracer(String),
    /// Takes this library into its environment, for the loader to bring it into what is executed.
    Library(String),
    /// Takes on this profile of AppArmor.
    Profile(String),
}
