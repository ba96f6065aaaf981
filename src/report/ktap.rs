//! KTAP, the kernel's own test output: one test a kernel, one subtest a view of a scenario.
//!
//! See Documentation/dev-tools/ktap.rst; `tools/testing/kunit/kunit.py parse` reads it.

use std::io::{self, Write};

use super::{Format, Row, Said, WHOLE, by_kernel};
use crate::trail::Outcome;

/// The format.
#[derive(Debug)]
pub struct Ktap;

impl Format for Ktap {
    fn end(&mut self, rows: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()> {
        let kernels = by_kernel(rows);
        writeln!(out, "KTAP version 1")?;
        for note in said.notes.iter().chain(&said.accepted) {
            writeln!(out, "# note: {note}")?;
        }
        let whole = said.success().map(|_| kernels.len() + 1);
        writeln!(out, "1..{}", whole.unwrap_or(kernels.len()))?;
        for (number, (id, rows)) in (1..).zip(&kernels) {
            let id = plain(id);
            writeln!(out, "    KTAP version 1")?;
            writeln!(out, "    # Subtest: {id}")?;
            writeln!(out, "    1..{}", rows.len())?;
            for (number, row) in (1..).zip(rows) {
                scenario(number, row, out)?;
            }
            let ran = |row: &Row<'_>| row.seen.outcome != Outcome::Unsupported;
            let skip = match rows.iter().any(ran) {
                true => "",
                false => " # SKIP every scenario needs what this kernel lacks",
            };
            writeln!(out, "{} {number} {id}{skip}", verdict(rows))?;
        }
        if let Some(number) = whole {
            writeln!(out, "ok {number} {WHOLE}")?;
        }
        if let Some(what) = &said.interrupted {
            writeln!(out, "Bail out! interrupted: {what}")?;
        }
        out.flush()
    }
}

fn scenario(number: usize, row: &Row<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (label, seen) = (plain(&row.label()), row.seen);
    let reason = seen.reason.as_deref().unwrap_or_default();
    if is_failure(row) {
        writeln!(out, "    # {label}: {}", seen.outcome)?;
        let judged = seen.judged.as_ref();
        let diff = judged.and_then(|judged| judged.diff.as_deref());
        for line in reason.lines().chain(diff.unwrap_or_default().lines()) {
            writeln!(out, "    # {line}")?;
        }
    }
    let verdict = verdict(&[*row]);
    let skip = match seen.outcome {
        Outcome::Unsupported => format!(" # SKIP {}", plain(reason)),
        _ => String::new(),
    };
    writeln!(out, "    {verdict} {number} {label}{skip}")
}

/// A text in the line of a result, where a `#` would begin a directive.
fn plain(text: &str) -> String {
    text.replace(['#', '\n'], " ")
}

fn is_failure(row: &Row<'_>) -> bool {
    !matches!(
        row.seen.outcome,
        Outcome::Same | Outcome::Seen | Outcome::Unsupported
    )
}

fn verdict(rows: &[Row<'_>]) -> &'static str {
    match rows.iter().any(is_failure) {
        true => "not ok",
        false => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::*;

    #[test]
    fn a_kernel_is_a_test_and_a_scenario_its_subtest() {
        let text = shown(&mut Ktap, &[record("start/a", "6.1", Outcome::Same)]);
        let expected = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: 6.1\n    1..1\n    \
                        ok 1 start/a\nok 1 6.1\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_not_as_the_baseline_fails_its_kernel_too() {
        let text = shown(&mut Ktap, &[record("start/a", "6.1", Outcome::Changed)]);
        assert!(
            text.contains("    not ok 1 start/a\nnot ok 1 6.1\n"),
            "{text}"
        );
    }

    #[test]
    fn a_name_begins_no_directive() {
        let text = shown(&mut Ktap, &[record("y # SKIP a", "6.1", Outcome::Same)]);
        assert!(text.contains("    ok 1 y   SKIP a\n"), "{text}");
    }

    #[test]
    fn what_is_unsupported_is_skipped_with_its_reason() {
        let text = shown(&mut Ktap, &[record("start/a", "6.1", Outcome::Unsupported)]);
        assert!(text.contains("ok 1 start/a # SKIP because\n"), "{text}");
    }
}
