//! Markdown, for a job summary or a pull request: the table, then what is not as it should be.

use std::io::{self, Write};

use super::matrix::{LEGEND, matrix};
use super::{Format, Row, summary};
use crate::trail::Outcome;

/// The format.
#[derive(Debug)]
pub struct Markdown;

impl Format for Markdown {
    fn end(&mut self, rows: &[Row<'_>], notes: &[String], out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "## exetrail: {}\n", summary(rows))?;
        writeln!(out, "```\n{}\n{LEGEND}\n```\n", matrix(rows).trim_end())?;
        for note in notes {
            writeln!(out, "Note: {note}\n")?;
        }
        for row in rows {
            let (kernel, seen) = (&row.record.kernel, row.seen);
            if matches!(seen.outcome, Outcome::Same | Outcome::Unsupported) {
                continue;
            }
            let kernel = format!("{} ({})", kernel.label(), kernel.release);
            writeln!(out, "### {} on {kernel}: {}\n", row.label(), seen.outcome)?;
            if let Some(reason) = &seen.reason {
                writeln!(out, "```\n{}\n```\n", reason.trim_end())?;
            }
            let judged = seen.judged.as_ref();
            if let Some(diff) = judged.and_then(|judged| judged.diff.as_ref()) {
                writeln!(out, "```diff\n{}\n```\n", diff.trim_end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::*;

    #[test]
    fn what_is_the_same_is_in_the_table_alone() {
        let findings = [
            record("start/a", "6.1", Outcome::Same),
            record("start/b", "6.1", Outcome::Changed),
        ];
        let text = shown(&mut Markdown, &findings);
        assert!(
            text.starts_with("## exetrail: 2 scenarios, 1 kernel, 1 view: 1 same, 1 changed\n"),
            "{text}"
        );
        assert!(
            !text.contains("### start/a") && text.contains("### start/b on 6.1 (6.1.1): changed")
        );
    }
}
