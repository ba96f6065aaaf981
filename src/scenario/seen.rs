//! What a scenario learns of a start that it observed.

use anyhow::{Context as _, Result};

use crate::trail::{Fact, How};

/// The end of a start, its events in words, and what our own program said of itself.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How the child ended that made the call.
    pub how: How,
    /// Its wait status says that it has dumped core, which it does as well where a helper ran that
    /// read nothing of it.
    pub dumped: bool,
    /// The events in their order: "execute /usr/bin/true".
    pub events: Vec<String>,
    /// What was found by the program, or by the caller whose call failed.
    pub found: Vec<Fact>,
}

impl Seen {
    /// What was found of a field that the start was asked to report.
    ///
    /// # Errors
    ///
    /// It was not reported.
    pub fn found(&self, field: &str) -> Result<&str> {
        let mut own = self.found.iter().filter(|fact| fact.name == field);
        let own = own.next();
        let fact = own.with_context(|| format!("{field} was not reported ({})", self.how))?;
        Ok(&fact.value)
    }
}
