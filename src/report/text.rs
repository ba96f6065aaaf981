//! For people: what differs from the snapshots, or every behaviour once with its kernels.

use std::collections::BTreeSet;
use std::io::{self, Write};

use similar::{ChangeTag, TextDiff};

use super::matrix::{LEGEND, matrix};
use super::{Colour, Format, Row, Said, Show, brief};
use crate::diff::Side;
use crate::trail::Outcome;
use crate::view::{Paint, TRAIL, ViewName};

/// The format.
#[derive(Debug)]
pub struct Text {
    colour: Colour,
    show: Option<Show>,
    /// Views that were asked for by name.
    named: Vec<ViewName>,
}

impl Text {
    /// Makes the format; where nothing is said of what to show, it is everything of one scenario,
    /// and of several what is not as accepted.
    #[must_use]
    pub fn new(colour: Colour, show: Option<Show>, named: &[ViewName]) -> Text {
        Text {
            colour,
            show,
            named: named.to_vec(),
        }
    }
}

impl Format for Text {
    fn end(&mut self, rows: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()> {
        let paint = Paint::new(self.colour);
        let scenarios: BTreeSet<_> = rows.iter().map(|row| &row.record.scenario).collect();
        let show = self.show.unwrap_or(match scenarios.len() {
            0 | 1 => Show::All,
            _ => Show::Changes,
        });
        match show {
            Show::All => everything(rows, &self.named, &paint, out)?,
            Show::Changes => brief::changes(rows, &paint, out)?,
        }
        for note in &said.notes {
            writeln!(out, "{} {note}", paint.changed.apply_to("note:"))?;
        }
        if let Some(what) = &said.interrupted {
            writeln!(out, "{}: {what}", paint.broken.apply_to("interrupted"))?;
        }
        writeln!(out, "{}", said.summary(rows))
    }
}

/// Every behaviour but those of quiet views, and the table of several kernels.
fn everything(
    rows: &[Row<'_>],
    named: &[ViewName],
    paint: &Paint,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut quiet = Vec::new();
    for own in rows.chunk_by(|a, b| a.label() == b.label()) {
        let shown = |row: &&Row<'_>| named.contains(&row.seen.view) || !is_quiet(own, rows);
        let Some(first) = own.first().filter(shown) else {
            quiet.extend(own);
            continue;
        };
        writeln!(out, "{}", paint.heading.apply_to(first.label()))?;
        scenario(own, paint, out)?;
    }
    brief::unsupported(&quiet, paint, out)?;
    let kernels = rows.iter().map(|row| row.record.kernel.label());
    if kernels.collect::<BTreeSet<_>>().len() > 1 {
        write!(out, "{}", matrix(rows))?;
        writeln!(out, "{}\n", paint.quiet.apply_to(LEGEND))?;
    }
    Ok(())
}

/// Whether these are of a further view that says nothing new, beside the trails.
fn is_quiet(own: &[Row<'_>], all: &[Row<'_>]) -> bool {
    let quiet = |row: &Row<'_>| {
        row.seen.view != TRAIL && matches!(row.seen.outcome, Outcome::Same | Outcome::Unsupported)
    };
    own.iter().all(quiet)
        && all
            .iter()
            .any(|row| row.seen.view == TRAIL && row.seen.body.is_some())
}

/// Shows each behaviour of one scenario, and what came of kernels where nothing was seen.
fn scenario(rows: &[Row<'_>], paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut behaviours: Vec<(String, Vec<Row<'_>>)> = Vec::new();
    for row in rows {
        let Some(text) = row.seen.text() else {
            continue;
        };
        match behaviours.iter_mut().find(|(known, _)| *known == text) {
            Some((_, kernels)) => kernels.push(*row),
            None => behaviours.push((text, vec![*row])),
        }
    }
    let mut previous: Option<(&str, Row<'_>)> = None;
    for (text, kernels) in &behaviours {
        writeln!(out, "  {}", on(kernels, paint))?;
        let Some(first) = kernels.first() else {
            continue;
        };
        match previous {
            Some((known, row)) => match words(&row, first).as_slice() {
                [] => difference(known, text, paint, out)?,
                words => words
                    .iter()
                    .try_for_each(|line| writeln!(out, "    {line}"))?,
            },
            None => show(first, paint, out)?,
        }
        previous = Some((text, *first));
        from_snapshots(kernels, paint, out)?;
    }
    for row in rows.iter().filter(|row| row.seen.reason.is_some()) {
        let reason = row.seen.reason.as_deref().unwrap_or_default();
        let kernels = on(&[*row], paint);
        let mut lines = reason.lines();
        writeln!(out, "  {kernels}: {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(out, "    {line}"))?;
    }
    writeln!(out)
}

/// How a behaviour differs from the snapshots of its kernels, which may be several.
fn from_snapshots(kernels: &[Row<'_>], paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let changed = kernels.iter().filter(|row| {
        let outcome = row.seen.outcome;
        outcome == Outcome::Changed || row.seen.footprint().is_some()
    });
    let changed = changed.copied().filter(|row| brief::diff(row).is_some());
    let groups = brief::alike(changed, brief::key);
    for (_, rows) in &groups {
        let Some((first, diff)) = rows.first().and_then(|row| Some((row, brief::diff(row)?)))
        else {
            continue;
        };
        let words = match first.seen.outcome {
            Outcome::Changed => "differs from the snapshot",
            _ => "differs from the snapshot, by what the agent does",
        };
        let labels = rows.iter().map(|row| row.record.kernel.label());
        let labels: BTreeSet<_> = labels.collect();
        let whose = match groups.len() {
            1 => String::new(),
            _ => format!(" on {}", labels.into_iter().collect::<Vec<_>>().join(" ")),
        };
        let title = format!("{words}{whose}:");
        writeln!(out, "    {}", paint.changed.apply_to(title))?;
        for line in diff.lines() {
            writeln!(out, "    {}", paint.diff_line(line))?;
        }
    }
    Ok(())
}

/// What differs between what was seen on two kernels, in words; none where only the texts tell it.
fn words(old: &Row<'_>, new: &Row<'_>) -> Vec<String> {
    let side = |row: &Row<'_>| Side::seen(&row.record.kernel);
    let bodies = old.seen.body.as_ref().zip(new.seen.body.as_ref());
    let compared = old.seen.view.view().zip(bodies).map(|(view, (from, to))| {
        view.compare(&old.record.scenario, (side(old), from), (side(new), to))
    });
    compared.map_or_else(Vec::new, |compared| compared.words)
}

pub(super) fn show(row: &Row<'_>, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    match (row.seen.view.view(), &row.seen.body) {
        (Some(view), Some(body)) => view.show(body, paint, out),
        _ => Ok(()),
    }
}

/// The kernels of a behaviour, with what they have in common: "5.10 6.1 same".
pub(super) fn on(rows: &[Row<'_>], paint: &Paint) -> String {
    let mut groups: Vec<(Outcome, Vec<String>)> = Vec::new();
    let labels: BTreeSet<_> = rows.iter().map(|row| row.record.kernel.label()).collect();
    for row in rows {
        let (kernel, outcome) = (&row.record.kernel, row.seen.outcome);
        let kernel = match labels.len() {
            1 => format!("{} ({})", kernel.label(), kernel.release),
            _ => kernel.label().to_owned(),
        };
        match groups.last_mut() {
            // A run that is repeated has each kernel several times.
            Some((last, kernels)) if *last == outcome && kernels.contains(&kernel) => {}
            Some((last, kernels)) if *last == outcome => kernels.push(kernel),
            _ => groups.push((outcome, vec![kernel])),
        }
    }
    let groups = groups.iter().map(|(outcome, kernels)| {
        let style = match outcome {
            Outcome::Same | Outcome::Seen => &paint.same,
            Outcome::Changed | Outcome::New => &paint.changed,
            Outcome::Unsupported => &paint.quiet,
            Outcome::Broken => &paint.broken,
        };
        format!("{} {}", kernels.join(" "), style.apply_to(outcome))
    });
    groups.collect::<Vec<_>>().join(", ")
}

fn difference(old: &str, new: &str, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    for change in TextDiff::from_lines(old, new).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => "-",
            ChangeTag::Insert => "+",
            ChangeTag::Equal => continue,
        };
        let line = format!("{sign}{}", change.value().trim_end());
        writeln!(out, "    {}", paint.diff_line(&line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::*;
    use crate::view::{Body, Judged, ViewSeen, trail::Steps};

    #[test]
    fn what_differs_between_two_kernels_is_told_in_words() {
        let mut records = ["5.10", "6.1"].map(|kernel| record("start/a", kernel, Outcome::Same));
        let trail = |comm: &str| {
            let text = format!(
                "start p1 by launcher: execve /a\n\
                 perm=open    pid=p1 ppid=launcher exe=/a comm={comm} : path=/c\n"
            );
            Some(Body::new::<Steps>(crate::trail::parse(&text).unwrap()))
        };
        records[0].seen[0].body = trail("3");
        records[1].seen[0].body = trail("a");
        let text = shown(&mut Text::new(Colour::No, None, &[]), &records);
        assert!(text.contains("\n    comm in all steps: 3 -> a\n"), "{text}");
        assert!(!text.contains("\n    +perm"), "{text}");
    }

    #[test]
    fn a_view_that_is_named_is_shown_beside_the_trail() {
        let mut records = [record("start/a", "6.1", Outcome::Same)];
        let view = ViewName::new("audit");
        let body = view
            .view()
            .unwrap()
            .parse("event=exec    pid=p1 : exec path=/a\n");
        let body = body.unwrap();
        let mut audit = ViewSeen::taken(view, body);
        audit.outcome = Outcome::Same;
        records[0].seen.push(audit);
        let all = Some(Show::All);
        let text = shown(&mut Text::new(Colour::No, all, &[TRAIL, view]), &records);
        assert!(text.contains("event=exec"), "{text}");
        let text = shown(&mut Text::new(Colour::No, all, &[]), &records);
        assert!(!text.contains("event=exec"), "{text}");
    }

    #[test]
    fn of_kernels_with_several_snapshots_each_difference_is_shown() {
        let changed = |kernel: &str, owner: &str, line: &str| {
            let mut record = record("start/a", kernel, Outcome::Changed);
            record.seen[0].reason = None;
            record.seen[0].judged = Some(Judged {
                owner: None,
                diff: Some(format!(
                    "--- snapshot of {owner}\n+++ seen on {kernel}\n@@ -1 +1 @@\n-{line}\n+new\n"
                )),
            });
            record
        };
        let one = changed("6.1", "6.1", "old");
        let others = ["6.12", "6.16"].map(|kernel| changed(kernel, "6.12", "older"));
        let [second, third] = others;
        let text = shown(
            &mut Text::new(Colour::No, Some(Show::All), &[]),
            &[one.clone(), second, third],
        );
        for part in [
            "snapshot on 6.1:",
            "-old\n",
            "snapshot on 6.12 6.16:",
            "-older\n",
        ] {
            assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
        }
        let text = shown(&mut Text::new(Colour::No, Some(Show::All), &[]), &[one]);
        assert!(text.contains("differs from the snapshot:\n"), "{text}");
    }

    #[test]
    fn a_kernel_that_was_run_twice_is_named_once() {
        let records = [(); 2].map(|()| record("start/a", "6.1", Outcome::Same));
        let text = shown(&mut Text::new(Colour::No, None, &[]), &records);
        assert!(text.contains("\n  6.1 (6.1.1) same\n"), "{text}");
    }

    #[test]
    fn a_quiet_view_that_is_unsupported_says_why() {
        let mut records = [record("start/a", "6.1", Outcome::Same)];
        let stages = ViewName::new("stages");
        let none = ViewSeen::nothing(stages, Outcome::Unsupported, "it takes a machine");
        records[0].seen.push(none);
        let text = shown(&mut Text::new(Colour::No, None, &[]), &records);
        let line = "unsupported on 6.1: start/a::stages: it takes a machine\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_report_that_has_no_snapshot_is_seen_and_shown() {
        let mut records = [record("start/a", "6.1", Outcome::Same)];
        let view = ViewName::new("audit");
        let body = view
            .view()
            .unwrap()
            .parse("event=exec    pid=p1 : exec path=/a\n")
            .unwrap();
        records[0].seen.push(ViewSeen::taken(view, body));
        let text = shown(&mut Text::new(Colour::No, None, &[]), &records);
        assert!(text.contains("6.1 (6.1.1) seen\n    event=exec"), "{text}");
        assert!(text.contains("1 same, 1 seen"), "{text}");
    }
}
