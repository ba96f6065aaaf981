//! How what was seen agrees with the model, in numbers and words.

use serde::{Deserialize, Serialize};

/// How a scenario agrees with the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Starts of programs that the model predicted, also those that failed.
    pub starts: usize,
    /// Steps of the kernel that it predicted.
    pub kernel: usize,
    /// Steps of the loader that it predicted.
    pub loader: usize,
    /// Steps of programs, of which it predicted exe and comm alone.
    pub own: usize,
    /// Where it disagrees.
    pub disagreements: Vec<String>,
    /// What it does not predict of the loader, and why.
    pub unknown: Vec<String>,
}

impl Agreement {
    /// Adds another start's.
    pub fn add(&mut self, other: Agreement) {
        self.starts += other.starts;
        self.kernel += other.kernel;
        self.loader += other.loader;
        self.own += other.own;
        self.disagreements.extend(other.disagreements);
        self.unknown.extend(other.unknown);
        self.unknown.dedup();
    }
}
