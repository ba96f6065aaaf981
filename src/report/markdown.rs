//! Markdown, for a job summary or a pull request: the table, then what is not as it should be.

use std::io::{self, Write};

use super::matrix::{LEGEND, matrix};
use super::{Format, Row, Said};
use crate::trail::{Outcome, markdown as plain};

/// The format.
#[derive(Debug)]
pub struct Markdown;

impl Format for Markdown {
    fn end(&mut self, rows: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "## exetrail: {}\n", said.summary(rows))?;
        if said.accepted.is_none() {
            writeln!(out, "```\n{}\n{LEGEND}\n```\n", matrix(rows).trim_end())?;
        }
        if let Some(what) = &said.interrupted {
            writeln!(out, "**Interrupted: {}.**\n", plain(what))?;
        }
        for note in &said.notes {
            writeln!(out, "Note: {}\n", plain(note))?;
        }
        for row in rows {
            let (kernel, seen) = (&row.record.kernel, row.seen);
            if matches!(
                seen.outcome,
                Outcome::Same | Outcome::Seen | Outcome::Unsupported
            ) {
                continue;
            }
            let kernel = format!("{} ({})", plain(kernel.label()), plain(&kernel.release));
            let label = plain(&row.label());
            writeln!(out, "### {label} on {kernel}: {}\n", seen.outcome)?;
            if let Some(reason) = &seen.reason {
                fenced("", reason, out)?;
            }
            let judged = seen.judged.as_ref();
            if let Some(diff) = judged.and_then(|judged| judged.diff.as_ref()) {
                fenced("diff", diff, out)?;
            }
        }
        Ok(())
    }
}

/// A block whose fence is longer than any in the text, so that no line of it is the end.
fn fenced(language: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let own = text.split(|character| character != '`').map(str::len).max();
    let fence = "`".repeat(own.unwrap_or(0).saturating_add(1).max(3));
    writeln!(out, "{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::*;

    #[test]
    fn a_name_is_no_markup() {
        let text = shown(
            &mut Markdown,
            &[record("a_b_/[x]", "6.1", Outcome::Changed)],
        );
        assert!(text.contains("### a\\_b\\_/\\[x\\] on 6.1 "), "{text}");
    }

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

    #[test]
    fn a_fence_in_a_text_does_not_end_its_block() {
        let mut out = Vec::new();
        fenced("diff", "a\n````\n# b\n", &mut out).unwrap();
        let expected = "`````diff\na\n````\n# b\n`````\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
