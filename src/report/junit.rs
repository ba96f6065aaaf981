//! JUnit's XML: one suite a kernel, one case a view of a scenario. Without times, so that the same findings
//! are the same bytes.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Format, Row, Said, WHOLE, by_kernel};
use crate::trail::Outcome;

/// The format.
#[derive(Debug)]
pub struct Junit;

impl Format for Junit {
    fn end(&mut self, rows: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()> {
        let mut report = Report::new("exetrail");
        for (id, rows) in by_kernel(rows) {
            let mut suite = TestSuite::new(id);
            let release = rows.first().map(|row| &row.record.kernel.release);
            if let Some(release) = release {
                suite.add_property(("release", release.as_str()));
            }
            for note in &said.notes {
                suite.add_property(("note", note.as_str()));
            }
            suite.add_test_cases(rows.iter().map(case));
            report.add_test_suite(suite);
        }
        if let Some(what) = said.success() {
            let mut suite = whole(TestCaseStatus::success());
            suite.add_property(("note", what));
            report.add_test_suite(suite);
        }
        if let Some(what) = &said.interrupted {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("interrupted").set_message(what.as_str());
            report.add_test_suite(whole(status));
        }
        // As a text first: the library's own error does not say that a reader is gone.
        let text = report.to_string().map_err(io::Error::other)?;
        writeln!(out, "{text}")
    }
}

/// A suite of no kernel, with what became of the run.
fn whole(status: TestCaseStatus) -> TestSuite {
    let mut suite = TestSuite::new("exetrail");
    suite.add_test_case(TestCase::new(WHOLE, status));
    suite
}

fn case(row: &Row<'_>) -> TestCase {
    let seen = row.seen;
    let reason = seen.reason.as_deref().unwrap_or_default();
    let judged = seen.judged.as_ref();
    let diff = judged.and_then(|judged| judged.diff.as_deref());
    let status = match seen.outcome {
        Outcome::Same | Outcome::Seen => TestCaseStatus::success(),
        Outcome::Unsupported => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        Outcome::Changed | Outcome::New => {
            let usual = format!("{}: not what the baseline says", seen.view);
            let first = reason.lines().next().unwrap_or(&usual);
            let text = [reason, diff.unwrap_or_default()];
            let text = text.into_iter().filter(|text| !text.is_empty());
            let text = text.collect::<Vec<_>>().join("\n");
            failed(NonSuccessKind::Failure, row, first, &text)
        }
        Outcome::Broken => {
            let first = reason.lines().next().unwrap_or_default();
            failed(NonSuccessKind::Error, row, first, reason)
        }
    };
    let mut case = TestCase::new(row.label(), status);
    let family = row.record.scenario.split('/').next().unwrap_or_default();
    case.set_classname(family);
    case
}

fn failed(kind: NonSuccessKind, row: &Row<'_>, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(row.seen.outcome.to_string())
        .set_message(message)
        .set_description(text);
    status
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::*;

    #[test]
    fn a_kernel_is_a_suite_and_a_change_is_a_failure() {
        let text = shown(&mut Junit, &[record("start/a", "6.1", Outcome::Changed)]);
        assert!(
            text.contains(r#"<testsuite name="6.1" tests="1""#),
            "{text}"
        );
        assert!(
            text.contains(r#"<failure message="trail: not what"#),
            "{text}"
        );
    }

    #[test]
    fn what_is_broken_is_an_error_and_what_is_unsupported_is_skipped() {
        let findings = [
            record("start/a", "6.1", Outcome::Broken),
            record("start/b", "6.1", Outcome::Unsupported),
        ];
        let text = shown(&mut Junit, &findings);
        assert!(text.contains("<error message=\"because\""), "{text}");
        assert!(text.contains("<skipped message=\"because\""), "{text}");
    }

    #[test]
    fn nothing_of_the_time_is_in_it() {
        let text = shown(&mut Junit, &[record("start/a", "6.1", Outcome::Same)]);
        assert!(!text.contains("time"), "{text}");
    }
}
