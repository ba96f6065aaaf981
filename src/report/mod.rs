//! What a run found, in the form that a reader wants; one file a format.

mod differences;
mod fapolicyd;
mod html;
mod json;
mod junit;
mod ktap;
mod markdown;
mod matrix;
mod observed;
mod text;
mod views;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::baseline::View;
use crate::suite::Judged;
use crate::trail::{Outcome, Record};

pub use differences::differences;
pub use html::{Chapter, page};
pub use observed::{Observed, observed};
pub use views::views;

/// One scenario on one kernel, with how it compares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What was seen.
    pub record: Record,
    /// The comparison; none without a trail.
    pub judged: Option<Judged>,
    /// The comparison of the view `stages`; none without one.
    #[serde(default)]
    pub stages: Option<Judged>,
    /// Which view outcome, reason and comparison are those of.
    #[serde(default)]
    pub view: View,
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
    /// The kernel's own test output, for KUnit's and KernelCI's parsers
    Ktap,
    /// JUnit's XML
    Junit,
    /// For a job summary or a pull request
    Markdown,
}

impl FormatName {
    /// Makes the format; `colour` is for text alone.
    #[must_use]
    pub fn make(self, colour: Colour) -> Box<dyn Format> {
        match self {
            FormatName::Text => Box::new(text::Text::new(colour)),
            FormatName::Json => Box::new(json::Json),
            FormatName::Fapolicyd => Box::new(fapolicyd::Fapolicyd),
            FormatName::Ktap => Box::new(ktap::Ktap),
            FormatName::Junit => Box::new(junit::Junit),
            FormatName::Markdown => Box::new(markdown::Markdown),
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

/// Findings grouped by kernel, in the order in which kernels first appear.
fn by_kernel(findings: &[Finding]) -> Vec<(&str, Vec<&Finding>)> {
    let mut kernels: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let id = finding.record.kernel.label();
        match kernels.iter_mut().find(|(known, _)| *known == id) {
            Some((_, own)) => own.push(finding),
            None => kernels.push((id, vec![finding])),
        }
    }
    kernels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::{Inside, KernelInfo, Lab, SCHEMA, Trail};

    /// A finding without a trail; what is not the same has the reason "because".
    pub fn finding(scenario: &str, kernel: &str, outcome: Outcome) -> Finding {
        Finding {
            record: Record {
                schema: SCHEMA,
                scenario: scenario.into(),
                kernel: KernelInfo {
                    id: kernel.into(),
                    release: format!("{kernel}.1"),
                    lab: Lab::Vm,
                },
                outcome,
                reason: (outcome != Outcome::Same).then(|| "because".into()),
                trail: Trail::default(),
                model: None,
                inside: Inside::default(),
            },
            judged: None,
            stages: None,
            view: View::Trail,
        }
    }

    /// What a format writes for these findings.
    pub fn shown(format: &mut dyn Format, findings: &[Finding]) -> String {
        let mut out = Vec::new();
        for finding in findings {
            format.finding(finding, &mut out).unwrap();
        }
        format.end(findings, &[], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn findings_are_grouped_by_kernel_in_their_order() {
        let findings = [
            finding("a", "6.1", Outcome::Same),
            finding("a", "5.10", Outcome::Same),
            finding("b", "6.1", Outcome::Same),
        ];
        let groups = by_kernel(&findings);
        assert_eq!((groups[0].0, groups[0].1.len()), ("6.1", 2));
    }
}
