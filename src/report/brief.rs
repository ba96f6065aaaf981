//! What is not as accepted, each difference once; and the rest in numbers, family by family.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Table, TableStyle};

use super::Row;
use super::text::{on, show};
use crate::trail::Outcome;
use crate::view::Paint;

/// How many new behaviours are shown whole; of a suite that was never run all are new.
const WHOLE: usize = 5;

/// Shows what is changed, new or broken, why something was not observed, and how many there are.
pub fn changes(rows: &[Row<'_>], paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    // Where each reason was told first: a dead guest is the same to all its scenarios.
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut new = 0;
    for own in rows.chunk_by(|a, b| a.label() == b.label()) {
        let loud = own.iter().copied().filter(|row| {
            let outcome = row.seen.outcome;
            matches!(outcome, Outcome::Changed | Outcome::New | Outcome::Broken)
        });
        let groups = alike(loud, key);
        let Some((_, first)) = groups.first() else {
            continue;
        };
        let label = first.first().map(Row::label).unwrap_or_default();
        writeln!(out, "{}", paint.heading.apply_to(&label))?;
        for ((_, reason), kernels) in &groups {
            if let Some(other) = told.get(reason).filter(|other| **other != label) {
                writeln!(out, "  {}: as {other}", on(kernels, paint))?;
                continue;
            }
            writeln!(out, "  {}", on(kernels, paint))?;
            if kernels
                .iter()
                .all(|row| row.seen.outcome == Outcome::Broken)
            {
                told.insert(reason.clone(), label.clone());
            }
            match kernels.first() {
                Some(row) if row.seen.outcome == Outcome::New => {
                    new += 1;
                    if new <= WHOLE {
                        show(row, paint, out)?;
                    }
                }
                Some(row) => {
                    for line in said(row).lines() {
                        writeln!(out, "    {}", paint.diff_line(line))?;
                    }
                }
                None => {}
            }
        }
        writeln!(out)?;
    }
    if new > WHOLE {
        let others = new - WHOLE;
        writeln!(
            out,
            "{others} more that are new: --show all shows what was seen, --pending writes it\n"
        )?;
    }
    unsupported(rows, paint, out)?;
    writeln!(out, "{}", families(rows))
}

/// What is said of a row: the reason or the difference.
fn said<'a>(row: &Row<'a>) -> &'a str {
    let reason = row.seen.reason.as_deref();
    reason.or_else(|| diff(row)).unwrap_or_default()
}

/// What rows have in common that are told together: the outcome, by its name, and what is said, but for the first two
/// lines of a difference, which name the kernels; of what is new, what was seen.
pub(super) fn key(row: &Row<'_>) -> (String, String) {
    let text = match (&row.seen.reason, diff(row)) {
        (None, Some(diff)) => diff.splitn(3, '\n').nth(2).unwrap_or_default().to_owned(),
        (None, None) => row.seen.text().unwrap_or_default(),
        _ => said(row).to_owned(),
    };
    (row.seen.outcome.to_string(), text)
}

pub(super) fn diff<'a>(row: &Row<'a>) -> Option<&'a str> {
    row.seen.judged.as_ref()?.diff.as_deref()
}

/// Rows of which the same is said, in the order in which it is said first.
pub(super) fn alike<'a, K: PartialEq>(
    rows: impl Iterator<Item = Row<'a>>,
    key: impl Fn(&Row<'a>) -> K,
) -> Vec<(K, Vec<Row<'a>>)> {
    let mut groups: Vec<(K, Vec<Row<'a>>)> = Vec::new();
    for row in rows {
        let key = key(&row);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, own)) => own.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    groups
}

/// Each reason for which something was not observed, with what it is about.
pub(super) fn unsupported(rows: &[Row<'_>], paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let rows = rows.iter().copied();
    let rows = rows.filter(|row| row.seen.outcome == Outcome::Unsupported);
    for (reason, rows) in alike(rows, |row| row.seen.reason.clone().unwrap_or_default()) {
        let mut kernels: Vec<&str> = Vec::new();
        for row in &rows {
            let label = row.record.kernel.label();
            if !kernels.contains(&label) {
                kernels.push(label);
            }
        }
        let labels: BTreeSet<_> = rows.iter().map(Row::label).collect();
        let what = match labels.len() {
            0..=3 => labels.into_iter().collect::<Vec<_>>().join(", "),
            many => format!("{many} of them"),
        };
        let word = paint.quiet.apply_to("unsupported");
        let first = reason.lines().next().unwrap_or_default();
        writeln!(out, "{word} on {}: {what}: {first}", kernels.join(" "))?;
    }
    Ok(())
}

/// How many of each family and view came out how.
fn families(rows: &[Row<'_>]) -> String {
    let mut counts: BTreeMap<(&str, &str), [usize; Outcome::ALL.len()]> = BTreeMap::new();
    for row in rows {
        let family = row.record.scenario.split('/').next().unwrap_or_default();
        let own = counts.entry((family, row.seen.view.as_str())).or_default();
        for (count, outcome) in own.iter_mut().zip(Outcome::ALL) {
            *count += usize::from(outcome == row.seen.outcome);
        }
    }
    let shown = Outcome::ALL.map(|outcome| rows.iter().any(|row| row.seen.outcome == outcome));
    let columns = || Outcome::ALL.iter().zip(shown).filter(|(_, shown)| *shown);
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    let head = columns().map(|(outcome, _)| outcome.to_string());
    table.set_header(
        ["family".to_owned(), "view".to_owned()]
            .into_iter()
            .chain(head),
    );
    for ((family, view), counts) in counts {
        let mut row = vec![Cell::new(family), Cell::new(view)];
        for (count, _) in counts.iter().zip(shown).filter(|(_, shown)| *shown) {
            let text = if *count == 0 {
                String::new()
            } else {
                count.to_string()
            };
            row.push(Cell::new(text).set_alignment(CellAlignment::Right));
        }
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::super::text::Text;
    use super::super::{Colour, Show};
    use super::WHOLE;
    use crate::trail::Outcome;
    use crate::view::{Body, Judged, Record, trail::Steps};

    #[test]
    fn of_many_that_are_new_the_first_are_shown() {
        let new = |number: usize| record(&format!("start/{number}"), "6.1", Outcome::New);
        let records: Vec<_> = (0..WHOLE).map(new).collect();
        let few = text(&records);
        assert!(!few.contains("more that are new"), "{few}");
        let records: Vec<_> = (0..WHOLE + 2).map(new).collect();
        let many = text(&records);
        assert!(many.contains("\n2 more that are new: --show all"), "{many}");
        assert_eq!(few.matches("perm=").count(), many.matches("perm=").count());
    }

    fn text(records: &[Record]) -> String {
        shown(
            &mut Text::new(Colour::No, Some(Show::Changes), &[]),
            records,
        )
    }

    #[test]
    fn what_is_as_accepted_is_a_number() {
        let text = text(&[record("start/a", "6.1", Outcome::Same)]);
        assert!(!text.contains("start/a"), "{text}");
        assert!(text.contains("start"), "{text}");
    }

    #[test]
    fn what_breaks_for_one_reason_is_told_once() {
        let broken = |kernel| record("start/a", kernel, Outcome::Broken);
        let text = text(&[broken("6.1"), broken("6.12")]);
        assert!(text.contains("6.1 6.12 broken"), "{text}");
        assert_eq!(text.matches("because").count(), 1, "{text}");
    }

    #[test]
    fn what_breaks_several_scenarios_is_told_once() {
        let broken = |scenario| record(scenario, "6.1", Outcome::Broken);
        let text = text(&[broken("start/a"), broken("start/b")]);
        assert_eq!(text.matches("because").count(), 1, "{text}");
        assert!(text.contains("broken: as start/a"), "{text}");
    }

    #[test]
    fn a_reason_for_what_is_unsupported_names_scenario_and_kernel() {
        let text = text(&[record("start/a", "6.1", Outcome::Unsupported)]);
        assert!(
            text.contains("unsupported on 6.1: start/a: because"),
            "{text}"
        );
    }

    #[test]
    fn a_difference_is_told_once_whatever_kernels_it_is_seen_on() {
        let changed = |kernel: &str| {
            let mut record = record("start/a", kernel, Outcome::Changed);
            record.seen[0].reason = None;
            record.seen[0].judged = Some(Judged {
                owner: None,
                diff: Some(format!(
                    "--- snapshot of 5.10\n+++ seen on {kernel}\n@@ -1 +1 @@\n-old\n+new\n"
                )),
            });
            record
        };
        let text = text(&[changed("6.1"), changed("6.12")]);
        assert_eq!(text.matches("+new").count(), 1, "{text}");
        assert!(text.contains("6.1 6.12 changed"), "{text}");
    }

    #[test]
    fn what_is_new_and_differs_between_kernels_is_shown_of_each() {
        let new = |kernel: &str, comm: &str| {
            let text = format!(
                "start p1 by launcher: execve /a\n\
                 perm=open    pid=p1 ppid=launcher exe=/a comm={comm} : path=/c\n"
            );
            let mut record = record("start/a", kernel, Outcome::New);
            let trail = crate::trail::parse(&text).unwrap();
            record.seen[0].body = Some(Body::new::<Steps>(trail));
            record.seen[0].reason = None;
            record
        };
        let text = text(&[new("6.1", "a"), new("6.12", "b"), new("7.0", "b")]);
        assert!(
            text.contains("(comm a)") && text.contains("(comm b)"),
            "{text}"
        );
        assert!(text.contains("6.12 7.0 new"), "{text}");
    }

    #[test]
    fn what_is_new_is_shown() {
        let text = text(&[record("start/a", "6.1", Outcome::New)]);
        assert!(text.contains("start p1 by launcher"), "{text}");
    }
}
