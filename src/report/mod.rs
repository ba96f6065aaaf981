//! What a run found, in the form that a reader wants; one file a format.

mod fapolicyd;
mod json;
mod matrix;
mod text;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::suite::Judged;
use crate::trail::{Outcome, Record};

/// One scenario on one kernel, with how it compares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What was seen.
    pub record: Record,
    /// The comparison; none without a trail.
    pub judged: Option<Judged>,
}

/// A form of output: hears of findings as they come, and of the end.
pub trait Format {
    /// Takes one finding.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn finding(&mut self, finding: &Finding, out: &mut dyn Write) -> io::Result<()>;

    /// Everything is there: all findings, by scenario and kernel, and what is to be said of all.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn end(
        &mut self,
        findings: &[Finding],
        notes: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()>;
}

/// The formats by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FormatName {
    /// For people: trails with their two phases, differences, a table of all kernels
    Text,
    /// One JSON record a line, as they are made
    Json,
    /// The lines that fapolicyd's users know
    Fapolicyd,
}

impl FormatName {
    /// Makes the format; `colour` is for text alone.
    #[must_use]
    pub fn make(self, colour: Colour) -> Box<dyn Format> {
        match self {
            FormatName::Text => Box::new(text::Text::new(colour)),
            FormatName::Json => Box::new(json::Json),
            FormatName::Fapolicyd => Box::new(fapolicyd::Fapolicyd),
        }
    }
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Yes,
    /// For everything else.
    No,
}

/// How many findings have each outcome: "64 same, 2 changed".
#[must_use]
pub fn summary(findings: &[Finding]) -> String {
    let count = |outcome| {
        findings
            .iter()
            .filter(|found| found.record.outcome == outcome)
            .count()
    };
    let parts = Outcome::ALL.map(|outcome| (outcome, count(outcome)));
    let parts = parts.iter().filter(|(_, count)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    match parts.is_empty() {
        true => "nothing was run".to_owned(),
        false => parts.join(", "),
    }
}
