//! The six outcomes, kept apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of one scenario on one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is what the baseline says.
    Same,
    /// It is not held to a baseline: the run is about a program or an agent of the user's.
    Seen,
    /// It differs from the baseline.
    Changed,
    /// There is no baseline yet.
    New,
    /// What it needs is not there.
    Unsupported,
    /// It could not be observed: no boot, a panic, a time-out, a lost channel.
    Broken,
}

impl Outcome {
    /// All outcomes, in the order in which summaries name them.
    pub const ALL: [Outcome; 6] = [
        Outcome::Same,
        Outcome::Seen,
        Outcome::Changed,
        Outcome::New,
        Outcome::Unsupported,
        Outcome::Broken,
    ];

    /// How much it asks for somebody's attention; the greatest is the one of a whole.
    #[must_use]
    pub fn badness(self) -> u8 {
        match self {
            Outcome::Same => 0,
            Outcome::Seen => 1,
            Outcome::Unsupported => 2,
            Outcome::New => 3,
            Outcome::Changed => 4,
            Outcome::Broken => 5,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Same => "same",
            Outcome::Seen => "seen",
            Outcome::Changed => "changed",
            Outcome::New => "new",
            Outcome::Unsupported => "unsupported",
            Outcome::Broken => "broken",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn the_worst_of_several_is_the_one_that_asks_for_attention_most() {
        let mut all = Outcome::ALL;
        all.sort_by_key(|outcome| outcome.badness());
        let names = all.map(|outcome| outcome.to_string());
        assert_eq!(
            names,
            ["same", "seen", "unsupported", "new", "changed", "broken"]
        );
    }
}
