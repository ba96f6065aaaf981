//! How what was seen agrees with the model, in numbers and words.

use serde::{Deserialize, Serialize};

/// How a scenario agrees with the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Agreement {
    /// Starts of programs that the model explains, also those that failed.
    pub starts: usize,
    /// Those of them that were not predicted beforehand: which file was named was taken from the
    /// first step that was seen, and files were looked up afterwards.
    #[serde(default)]
    pub afterwards: usize,
    /// Steps of the kernel that it predicted.
    pub kernel: usize,
    /// Steps of the loader that it predicted.
    pub loader: usize,
    /// Steps of programs, of which it predicted exe and comm alone.
    pub own: usize,
    /// Where it disagrees in the kernel's part, the loader's, or what programs are told.
    pub disagreements: Vec<String>,
    /// Steps of programs under a name that it did not predict; after each it goes on from that
    /// name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<String>,
    /// What it does not predict of the loader, and why.
    pub unknown: Vec<String>,
}

impl Agreement {
    /// Adds another start's.
    pub fn add(&mut self, other: Agreement) {
        self.starts += other.starts;
        self.afterwards += other.afterwards;
        self.kernel += other.kernel;
        self.loader += other.loader;
        self.own += other.own;
        self.disagreements.extend(other.disagreements);
        self.renamed.extend(other.renamed);
        for reason in other.unknown {
            if !self.unknown.contains(&reason) {
                self.unknown.push(reason);
            }
        }
    }

    /// What a scenario may declare; a disagreement it may not.
    pub fn surprises(&self) -> impl Iterator<Item = &String> {
        self.renamed.iter().chain(&self.unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::Agreement;

    #[test]
    fn everything_of_another_start_is_added() {
        let one = Agreement {
            starts: 1,
            afterwards: 6,
            kernel: 3,
            loader: 4,
            own: 5,
            disagreements: vec!["a".into()],
            renamed: vec!["b".into()],
            unknown: vec!["c".into(), "d".into()],
        };
        let mut both = one.clone();
        both.add(one);
        let counts = [
            both.starts,
            both.afterwards,
            both.kernel,
            both.loader,
            both.own,
        ];
        assert_eq!(counts, [2, 12, 6, 8, 10]);
        assert_eq!(both.disagreements, ["a", "a"]);
        assert_eq!(both.renamed, ["b", "b"]);
        // A reason is told once.
        assert_eq!(both.unknown, ["c", "d"]);
        assert_eq!(both.surprises().count(), 4);
    }
}
