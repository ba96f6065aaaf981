//! What a scenario of family `contract/` says of a claim, and what it found on the way.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What became of one claim of a specification on one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The claim's id, such as `error/E2BIG`.
    pub claim: String,
    /// What it is.
    pub verdict: Judgement,
    /// Why, without a line break; pieces of evidence are parted by `; `.
    pub evidence: String,
}

/// The four verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// Every stated reason gives what is stated.
    Holds,
    /// The stated reason gives something else.
    Contradicted,
    /// A stated reason fails, or needs a condition that is not stated.
    Partly,
    /// No trigger gives it.
    Unreachable,
}

impl Judgement {
    /// All of them.
    pub const ALL: [Judgement; 4] = [
        Judgement::Holds,
        Judgement::Contradicted,
        Judgement::Partly,
        Judgement::Unreachable,
    ];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Holds => "holds",
            Judgement::Contradicted => "contradicted",
            Judgement::Partly => "partly",
            Judgement::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Judgement {
    type Err = String;

    fn from_str(word: &str) -> Result<Judgement, String> {
        let found = Judgement::ALL.into_iter().find(|one| one.name() == word);
        found.ok_or_else(|| format!("{word:?} is no verdict"))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict {
            claim,
            verdict,
            evidence,
        } = self;
        write!(f, "verdict {claim} {verdict}: {evidence}")
    }
}

impl Verdict {
    /// Reads what `Display` wrote after the word `verdict`.
    #[must_use]
    pub(super) fn parse(rest: &str) -> Option<Verdict> {
        let (head, evidence) = rest.split_once(": ")?;
        let (claim, verdict) = head.split_once(' ')?;
        Some(Verdict {
            claim: claim.to_owned(),
            verdict: verdict.parse().ok()?,
            evidence: evidence.to_owned(),
        })
    }
}

/// Something that was found out, with the name that the scenario gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is about, such as `longest argument`.
    pub name: String,
    /// What it is.
    pub value: String,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

impl Fact {
    /// A fact in one line.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl ToString) -> Fact {
        Fact {
            name: name.into(),
            value: value.to_string(),
        }
    }

    /// Reads what `Display` wrote.
    #[must_use]
    pub(super) fn parse(rest: &str) -> Option<Fact> {
        let (name, value) = rest.split_once(": ")?;
        Some(Fact::new(name, value))
    }
}

/// What a program of ours found of its own state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Found {
    /// Name of the process.
    pub process: String,
    /// What it found.
    #[serde(flatten)]
    pub fact: Fact,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "found {}: {}", self.process, self.fact)
    }
}

impl Found {
    /// Reads what `Display` wrote after the word `found`.
    #[must_use]
    pub(super) fn parse(rest: &str) -> Option<Found> {
        let (process, fact) = rest.split_once(": ")?;
        Some(Found {
            process: process.to_owned(),
            fact: Fact::parse(fact)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_reads_back_as_it_was_written() {
        let text = "error/EISDIR contradicted: a directory: errno EACCES";
        let verdict = Verdict::parse(text).unwrap();
        assert_eq!(verdict.verdict, Judgement::Contradicted);
        assert_eq!(verdict.to_string(), format!("verdict {text}"));
    }

    #[test]
    fn a_verdict_that_is_none_of_the_four_is_refused() {
        assert_eq!(Verdict::parse("error/EIO perhaps: x"), None);
    }

    #[test]
    fn what_was_found_reads_back_as_it_was_written() {
        let text = "p1: handled: SIGUSR1: SIGUSR2";
        let found = Found::parse(text).unwrap();
        assert_eq!(found.fact.name, "handled");
        assert_eq!(found.to_string(), format!("found {text}"));
    }
}
