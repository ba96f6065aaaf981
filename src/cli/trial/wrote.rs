//! What programs wrote, as `exetrail try` shows it: the last lines, once for all kernels where it is the same.

use std::io::{self, Write};

use super::show::labels;
use crate::view::{Paint, Record};
use crate::wire::Wrote;

/// Shows so many lines of each start.
///
/// # Errors
///
/// The output cannot be written.
pub fn show(records: &[Record], most: usize, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut alike: Vec<Vec<&Record>> = Vec::new();
    for record in records.iter().filter(|record| !record.output.is_empty()) {
        match alike
            .iter_mut()
            .find(|known| known[0].output == record.output)
        {
            Some(known) => known.push(record),
            None => alike.push(vec![record]),
        }
    }
    for kernels in &alike {
        let title = format!("output, on {}", labels(kernels));
        writeln!(out, "  {}", paint.quiet.apply_to(title))?;
        let starts = &kernels[0].output;
        for (number, wrote) in starts.iter().enumerate() {
            let is_known = number > 0 && is_same(wrote, &starts[0]);
            if !is_known {
                start(wrote, most, paint, out)?;
            }
        }
    }
    Ok(())
}

/// Whether a start wrote what another one did; the first of several is the one where all is allowed.
fn is_same(wrote: &Wrote, other: &Wrote) -> bool {
    (wrote.cut, &wrote.lines) == (other.cut, &other.lines)
}

fn start(wrote: &Wrote, most: usize, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    if let Some(heading) = &wrote.heading {
        writeln!(out, "    {}", paint.quiet.apply_to(format!("{heading}:")))?;
    }
    let skipped = wrote.lines.len().saturating_sub(most);
    match (skipped, wrote.cut) {
        (0, false) => {}
        (0, true) => writeln!(out, "    (more before)")?,
        (1, false) => writeln!(out, "    (1 line before: -v)")?,
        (lines, false) => writeln!(out, "    ({lines} lines before: -v)")?,
        (_, true) => writeln!(out, "    (more before: some of it with -v)")?,
    }
    let mut lines = wrote.lines.iter().skip(skipped);
    lines.try_for_each(|line| writeln!(out, "    | {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Outcome;
    use crate::view::Colour;
    use crate::view::tests::record;

    fn shown(records: &[Record], most: usize) -> String {
        let mut out = Vec::new();
        show(records, most, &Paint::new(Colour::No), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn wrote(heading: Option<&str>, lines: &[&str]) -> Wrote {
        Wrote {
            heading: heading.map(ToOwned::to_owned),
            lines: lines.iter().map(ToString::to_string).collect(),
            cut: false,
        }
    }

    #[test]
    fn the_last_lines_are_shown_once_for_kernels_that_wrote_the_same() {
        let records = ["6.1", "6.12"].map(|kernel| Record {
            output: vec![wrote(None, &["a", "b", "c"])],
            ..record("try", kernel, Outcome::Seen)
        });
        let expected = "  output, on 6.1, 6.12\n    (1 line before: -v)\n    | b\n    | c\n";
        assert_eq!(shown(&records, 2), expected);
    }

    #[test]
    fn a_start_that_wrote_what_the_first_one_did_is_not_repeated() {
        let starts = [("allow all", "a"), ("deny 1", "a"), ("deny 2", "b")];
        let starts = starts.map(|(heading, line)| wrote(Some(heading), &[line]));
        let records = [Record {
            output: starts.into(),
            ..record("try", "6.1", Outcome::Seen)
        }];
        let text = shown(&records, 10);
        assert!(
            text.contains("allow all") && text.contains("deny 2"),
            "{text}"
        );
        assert!(!text.contains("deny 1"), "{text}");
    }
}
