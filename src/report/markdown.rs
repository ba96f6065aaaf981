//! Markdown, for a job summary or a pull request: the table, then what is not as it should be.

use std::io::{self, Write};

use super::matrix::{LEGEND, matrix};
use super::{Finding, Format, summary};
use crate::trail::Outcome;

/// The format.
#[derive(Debug)]
pub struct Markdown;

impl Format for Markdown {
    fn finding(&mut self, _: &Finding, _: &mut dyn Write) -> io::Result<()> {
        // The table comes first.
        Ok(())
    }

    fn end(
        &mut self,
        findings: &[Finding],
        notes: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        writeln!(out, "## exetrail: {}\n", summary(findings))?;
        writeln!(out, "```\n{}\n{LEGEND}\n```\n", matrix(findings).trim_end())?;
        for note in notes {
            writeln!(out, "Note: {note}\n")?;
        }
        for finding in findings {
            let record = &finding.record;
            if matches!(record.outcome, Outcome::Same | Outcome::Unsupported) {
                continue;
            }
            let kernel = format!("{} ({})", record.kernel.label(), record.kernel.release);
            writeln!(
                out,
                "### {} on {kernel}: {}\n",
                record.scenario, record.outcome
            )?;
            if let Some(reason) = &record.reason {
                writeln!(out, "```\n{}\n```\n", reason.trim_end())?;
            }
            let judged = finding.judged.as_ref();
            if let Some(diff) = judged.and_then(|judged| judged.diff.as_ref()) {
                writeln!(out, "```diff\n{}\n```\n", diff.trim_end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, shown};
    use super::*;

    #[test]
    fn what_is_the_same_is_in_the_table_alone() {
        let findings = [
            finding("start/a", "6.1", Outcome::Same),
            finding("start/b", "6.1", Outcome::Changed),
        ];
        let text = shown(&mut Markdown, &findings);
        assert!(
            text.starts_with("## exetrail: 1 same, 1 changed\n"),
            "{text}"
        );
        assert!(
            !text.contains("### start/a") && text.contains("### start/b on 6.1 (6.1.1): changed")
        );
    }
}
