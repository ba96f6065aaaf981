//! What a run found, in the form that a reader wants; one file a format.

mod brief;
mod differences;
mod fapolicyd;
#[cfg(test)]
mod hostile;
mod html;
mod json;
mod junit;
mod ktap;
mod markdown;
mod matrix;
mod text;

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::trail::Outcome;
use crate::view::{Colour, Record, Row, ViewName};

pub use differences::differences;
pub use html::{Accepted, Chapter, page};

/// A form of output: hears of records as they come, and of the end.
pub trait Format {
    /// Takes one record; what is shown only as a whole waits for the end.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn record(&mut self, _: &Record, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Nothing more comes: all records by scenario and kernel, view by view, and what is to be said
    /// of all.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn end(&mut self, rows: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()>;
}

/// What is to be said of a run as a whole.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What somebody should know who reads its results.
    pub notes: Vec<String>,
    /// How much of it is there, where it was interrupted: what is missing is no success.
    pub interrupted: Option<String>,
    /// How many results there were, where all are as accepted and none of them is shown.
    pub accepted: Option<String>,
}

impl Said {
    /// What these rows sum up to, or what is said in the place of rows.
    fn summary(&self, rows: &[Row<'_>]) -> String {
        self.accepted.clone().unwrap_or_else(|| summary(rows))
    }

    /// What is said in the place of rows, where all rounds were made: who parses a document without any result takes it
    /// for a failure.
    fn success(&self) -> Option<&str> {
        let accepted = self.accepted.as_deref();
        accepted.filter(|_| self.interrupted.is_none())
    }
}

/// How a format names a result that is of no kernel.
const WHOLE: &str = "the run as a whole";

/// What the text shows of what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Show {
    /// What is changed, new or broken, with its difference; why what is unsupported is; and how many there are of the rest
    Changes,
    /// Every trail, further views that are not as accepted or are named, and a table of several kernels
    All,
}

/// The formats by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FormatName {
    /// For people
    Text,
    /// One JSON record a line, as they are made
    Json,
    /// The lines that fapolicyd's users know, with comments for what is no event
    Fapolicyd,
    /// The kernel's own test output, for KUnit's and KernelCI's parsers
    Ktap,
    /// JUnit's XML
    Junit,
    /// For a job summary or a pull request
    Markdown,
}

impl FormatName {
    /// Makes the format; `colour`, `show` and the views that are named are for text alone.
    #[must_use]
    pub fn make(self, colour: Colour, show: Option<Show>, named: &[ViewName]) -> Box<dyn Format> {
        match self {
            FormatName::Text => Box::new(text::Text::new(colour, show, named)),
            FormatName::Json => Box::new(json::Json),
            FormatName::Fapolicyd => Box::new(fapolicyd::Fapolicyd),
            FormatName::Ktap => Box::new(ktap::Ktap),
            FormatName::Junit => Box::new(junit::Junit),
            FormatName::Markdown => Box::new(markdown::Markdown),
        }
    }
}

/// How many scenarios and views there are, and what became of them: "64 scenarios, 2 views: 128
/// same".
#[must_use]
pub fn summary(rows: &[Row<'_>]) -> String {
    let count = |outcome| {
        rows.iter()
            .filter(|row| row.seen.outcome == outcome)
            .count()
    };
    let parts = Outcome::ALL.map(|outcome| (outcome, count(outcome)));
    let parts = parts.iter().filter(|(_, count)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    if parts.is_empty() {
        return "nothing was run".to_owned();
    }
    format!("{}: {}", extent(rows), parts.join(", "))
}

/// How many scenarios, kernels and views these are of: "64 scenarios, 11 kernels, 2 views".
#[must_use]
pub fn extent(rows: &[Row<'_>]) -> String {
    let distinct =
        |key: fn(&Row<'_>) -> String| rows.iter().map(key).collect::<BTreeSet<_>>().len();
    let scenarios = distinct(|row| row.record.scenario.clone());
    let kernels = distinct(|row| row.record.kernel.label().to_owned());
    let views = distinct(|row| row.seen.view.to_string());
    let what = [
        (scenarios, "scenario"),
        (kernels, "kernel"),
        (views, "view"),
    ];
    let what = what.map(|(count, word)| format!("{count} {}", plural(count, word)));
    what.join(", ")
}

fn plural(count: usize, word: &str) -> String {
    match count {
        1 => word.to_owned(),
        _ => format!("{word}s"),
    }
}

/// Rows grouped by kernel, in the order in which kernels first appear.
fn by_kernel<'a>(rows: &[Row<'a>]) -> Vec<(&'a str, Vec<Row<'a>>)> {
    let mut kernels: Vec<(&str, Vec<Row<'_>>)> = Vec::new();
    for row in rows {
        let id = row.record.kernel.label();
        match kernels.iter_mut().find(|(known, _)| *known == id) {
            Some((_, own)) => own.push(*row),
            None => kernels.push((id, vec![*row])),
        }
    }
    kernels
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::view::rows;
    pub use crate::view::tests::record;

    /// What a format writes for these records.
    pub fn shown(format: &mut dyn Format, records: &[Record]) -> String {
        let mut out = Vec::new();
        for record in records {
            format.record(record, &mut out).unwrap();
        }
        format
            .end(&rows(records), &Said::default(), &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_was_interrupted_is_no_success_in_any_format_that_has_one() {
        let records = [record("start/a", "6.1", Outcome::Same)];
        let said = Said {
            interrupted: Some("1 of 2 results".to_owned()),
            ..Said::default()
        };
        for (form, line) in [
            (FormatName::Text, "interrupted: 1 of 2 results\n"),
            (FormatName::Markdown, "**Interrupted: 1 of 2 results.**"),
            (FormatName::Ktap, "Bail out! interrupted: 1 of 2 results\n"),
            (
                FormatName::Junit,
                "<error message=\"1 of 2 results\" type=\"interrupted\"/>",
            ),
        ] {
            let mut out = Vec::new();
            let mut format = form.make(Colour::No, None, &[]);
            format.end(&rows(&records), &said, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(line), "{form:?}: {text}");
        }
    }

    #[test]
    fn a_run_of_which_nothing_is_shown_is_a_success_in_what_is_parsed() {
        let said = Said {
            accepted: Some("2 results, all as accepted".to_owned()),
            ..Said::default()
        };
        for (form, expected) in [
            (
                FormatName::Markdown,
                "## exetrail: 2 results, all as accepted\n\n",
            ),
            (FormatName::Fapolicyd, "# 2 results, all as accepted\n"),
            (
                FormatName::Ktap,
                "KTAP version 1\n# note: 2 results, all as accepted\n1..1\nok 1 the run as a whole\n",
            ),
            (FormatName::Json, ""),
        ] {
            let mut out = Vec::new();
            let mut format = form.make(Colour::No, None, &[]);
            format.end(&[], &said, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{form:?}");
        }
        let mut out = Vec::new();
        junit::Junit.end(&[], &said, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains(
                r#"<testsuite name="exetrail" tests="1" skipped="0" errors="0" failures="0">"#
            ),
            "{text}"
        );
        assert!(text.contains("2 results, all as accepted"), "{text}");
    }

    /// Nobody reads what is written to it.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_format_says_that_its_reader_is_gone() {
        use clap::ValueEnum as _;
        let records = [record("start/a", "6.1", Outcome::Changed)];
        for form in FormatName::value_variants() {
            let mut format = form.make(Colour::No, None, &[]);
            let taken = format.record(&records[0], &mut Closed);
            let ended = format.end(&rows(&records), &Said::default(), &mut Closed);
            let error = taken.and(ended).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{form:?}");
        }
    }

    #[test]
    fn rows_are_grouped_by_kernel_in_their_order() {
        let records = [
            record("a", "6.1", Outcome::Same),
            record("a", "5.10", Outcome::Same),
            record("b", "6.1", Outcome::Same),
        ];
        let rows = rows(&records);
        let groups = by_kernel(&rows);
        assert_eq!((groups[0].0, groups[0].1.len()), ("6.1", 2));
    }

    #[test]
    fn a_summary_says_of_what_it_counts() {
        let records = [record("start/a", "6.1", Outcome::Same)];
        let text = summary(&rows(&records));
        assert_eq!(text, "1 scenario, 1 kernel, 1 view: 1 same");
    }
}
