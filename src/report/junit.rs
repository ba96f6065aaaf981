//! JUnit's XML: one suite a kernel, one case a scenario. Without times, so that the same findings
//! are the same bytes.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Format, by_kernel};
use crate::trail::Outcome;

/// The format.
#[derive(Debug)]
pub struct Junit;

impl Format for Junit {
    fn finding(&mut self, _: &Finding, _: &mut dyn Write) -> io::Result<()> {
        // A suite counts its cases in its first line: wait for the end.
        Ok(())
    }

    fn end(
        &mut self,
        findings: &[Finding],
        notes: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut report = Report::new("exetrail");
        for (id, findings) in by_kernel(findings) {
            let mut suite = TestSuite::new(id);
            let release = findings.first().map(|found| &found.record.kernel.release);
            if let Some(release) = release {
                suite.add_property(("release", release.as_str()));
            }
            for note in notes {
                suite.add_property(("note", note.as_str()));
            }
            suite.add_test_cases(findings.into_iter().map(case));
            report.add_test_suite(suite);
        }
        report.serialize(&mut *out).map_err(io::Error::other)?;
        writeln!(out)
    }
}

fn case(finding: &Finding) -> TestCase {
    let record = &finding.record;
    let reason = record.reason.as_deref().unwrap_or_default();
    let diff = finding
        .judged
        .as_ref()
        .and_then(|judged| judged.diff.as_deref());
    let status = match record.outcome {
        Outcome::Same => TestCaseStatus::success(),
        Outcome::Unsupported => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        Outcome::Changed | Outcome::New => failed(
            NonSuccessKind::Failure,
            finding,
            "the trail is not what the baseline says",
            diff.unwrap_or_default(),
        ),
        Outcome::Broken => {
            let first = reason.lines().next().unwrap_or_default();
            failed(NonSuccessKind::Error, finding, first, reason)
        }
    };
    let mut case = TestCase::new(record.scenario.as_str(), status);
    let family = record.scenario.split('/').next().unwrap_or_default();
    case.set_classname(family);
    case
}

fn failed(kind: NonSuccessKind, finding: &Finding, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(finding.record.outcome.to_string())
        .set_message(message)
        .set_description(text);
    status
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, shown};
    use super::*;

    #[test]
    fn a_kernel_is_a_suite_and_a_change_is_a_failure() {
        let text = shown(&mut Junit, &[finding("start/a", "6.1", Outcome::Changed)]);
        assert!(
            text.contains(r#"<testsuite name="6.1" tests="1""#),
            "{text}"
        );
        assert!(
            text.contains(r#"<failure message="the trail is not"#),
            "{text}"
        );
    }

    #[test]
    fn what_is_broken_is_an_error_and_what_is_unsupported_is_skipped() {
        let findings = [
            finding("start/a", "6.1", Outcome::Broken),
            finding("start/b", "6.1", Outcome::Unsupported),
        ];
        let text = shown(&mut Junit, &findings);
        assert!(text.contains("<error message=\"because\""), "{text}");
        assert!(text.contains("<skipped message=\"because\""), "{text}");
    }

    #[test]
    fn nothing_of_the_time_is_in_it() {
        let text = shown(&mut Junit, &[finding("start/a", "6.1", Outcome::Same)]);
        assert!(!text.contains("time"), "{text}");
    }
}
