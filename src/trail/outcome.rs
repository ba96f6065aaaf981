//! The five outcomes, kept apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of one scenario on one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The trail is what the baseline says.
    Same,
    /// The trail differs from the baseline.
    Changed,
    /// There is no baseline yet.
    New,
    /// A declared need is not met by this kernel or lab.
    Unsupported,
    /// Our side failed: boot, time-out, panic, lost channel.
    Broken,
}

impl Outcome {
    /// All outcomes, in the order in which summaries name them.
    pub const ALL: [Outcome; 5] = [
        Outcome::Same,
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
            Outcome::Unsupported => 1,
            Outcome::New => 2,
            Outcome::Changed => 3,
            Outcome::Broken => 4,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Same => "same",
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
        assert_eq!(names, ["same", "unsupported", "new", "changed", "broken"]);
    }
}
