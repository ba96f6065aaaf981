//! KTAP, the kernel's own test output: one test a kernel, one subtest a scenario.
//!
//! See Documentation/dev-tools/ktap.rst; `tools/testing/kunit/kunit.py parse` reads it.

use std::io::{self, Write};

use super::{Finding, Format, by_kernel};
use crate::trail::Outcome;

/// The format.
#[derive(Debug)]
pub struct Ktap;

impl Format for Ktap {
    fn finding(&mut self, _: &Finding, _: &mut dyn Write) -> io::Result<()> {
        // A plan line counts what follows: wait for the end.
        Ok(())
    }

    fn end(
        &mut self,
        findings: &[Finding],
        notes: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let kernels = by_kernel(findings);
        writeln!(out, "KTAP version 1")?;
        for note in notes {
            writeln!(out, "# note: {note}")?;
        }
        writeln!(out, "1..{}", kernels.len())?;
        for (number, (id, findings)) in (1..).zip(&kernels) {
            writeln!(out, "    KTAP version 1")?;
            writeln!(out, "    # Subtest: {id}")?;
            writeln!(out, "    1..{}", findings.len())?;
            for (number, finding) in (1..).zip(findings) {
                scenario(number, finding, out)?;
            }
            let ran = |found: &&&Finding| found.record.outcome != Outcome::Unsupported;
            let skip = match findings.iter().any(|found| ran(&found)) {
                true => "",
                false => " # SKIP every scenario needs what this kernel lacks",
            };
            writeln!(out, "{} {number} {id}{skip}", verdict(findings))?;
        }
        out.flush()
    }
}

fn scenario(number: usize, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let record = &finding.record;
    let reason = record.reason.as_deref().unwrap_or_default();
    if is_failure(finding) {
        writeln!(out, "    # {}: {}", record.scenario, record.outcome)?;
        let diff = finding
            .judged
            .as_ref()
            .and_then(|judged| judged.diff.as_deref());
        for line in reason.lines().chain(diff.unwrap_or_default().lines()) {
            writeln!(out, "    # {line}")?;
        }
    }
    let verdict = verdict(&[finding]);
    // A `#` in the reason would begin another directive.
    let skip = match record.outcome {
        Outcome::Unsupported => format!(" # SKIP {}", reason.replace(['#', '\n'], " ")),
        _ => String::new(),
    };
    writeln!(out, "    {verdict} {number} {}{skip}", record.scenario)
}

fn is_failure(finding: &Finding) -> bool {
    !matches!(finding.record.outcome, Outcome::Same | Outcome::Unsupported)
}

fn verdict(findings: &[&Finding]) -> &'static str {
    match findings.iter().any(|finding| is_failure(finding)) {
        true => "not ok",
        false => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, shown};
    use super::*;

    #[test]
    fn a_kernel_is_a_test_and_a_scenario_its_subtest() {
        let text = shown(&mut Ktap, &[finding("start/a", "6.1", Outcome::Same)]);
        let expected = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: 6.1\n    1..1\n    \
                        ok 1 start/a\nok 1 6.1\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_not_as_the_baseline_fails_its_kernel_too() {
        let text = shown(&mut Ktap, &[finding("start/a", "6.1", Outcome::Changed)]);
        assert!(
            text.contains("    not ok 1 start/a\nnot ok 1 6.1\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_unsupported_is_skipped_with_its_reason() {
        let text = shown(
            &mut Ktap,
            &[finding("start/a", "6.1", Outcome::Unsupported)],
        );
        assert!(text.contains("ok 1 start/a # SKIP because\n"), "{text}");
    }
}
