//! What `exetrail try` shows: what was seen once, the model beside it, and what differs in words.

use std::io::Write;

use anyhow::{Context as _, Result};

use super::verdict::{behaviours, is_whole, wrong};
use super::wrote;
use crate::diff::Side;
use crate::trail::{Agreement, How, Outcome, Trail};
use crate::view::{Colour, Length, Paint, Record, STAGES, TRAIL, VIEWS, ViewName};

/// What is shown.
pub struct Shown<'a> {
    /// The program with its arguments, as the user wrote them.
    pub command: &'a [String],
    /// The views; the trail for none.
    pub views: &'a [ViewName],
    /// Tell the story as well.
    pub explain: bool,
    /// How many lines are shown of what each start wrote.
    pub output: usize,
    /// Whether in colour.
    pub colour: Colour,
}

const LACKS: &str = "note: with exit 127 a shell says that it has not found a command, and ld.so a library: what the \
                     guest does not have goes along with --add";

const SAYS: &str = "note: it ended so and wrote that something is not there: what a program needs beside ELF libraries \
                    (an interpreter's modules, data, other programs) goes along with --add";

/// Words by which programs say that a file is not there (strerror(3) of ENOENT; Python, Perl).
const NOT_THERE: [&str; 3] = [
    "No such file or directory",
    "No module named",
    "Can't locate",
];

/// How many lines of an output are shown where no more are asked for.
pub const LINES: usize = 10;

/// Whether something ended as it does where the guest lacks a file that nobody could know of.
fn lacks(trail: &Trail) -> bool {
    let mut ends = trail.ended.iter();
    ends.any(|ended| ended.how == How::Exit(127))
}

/// Whether something failed and wrote that a file is not there.
fn says(record: &Record) -> bool {
    let failed = |how: &How| !matches!(how, How::Exit(0));
    let mut ends = record.trail().into_iter().flat_map(|trail| &trail.ended);
    let mut lines = record.output.iter().flat_map(|wrote| &wrote.lines);
    ends.any(|ended| failed(&ended.how))
        && lines.any(|line| NOT_THERE.iter().any(|words| line.contains(words)))
}

impl Shown<'_> {
    /// Writes everything.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn write(&self, records: &[Record], out: &mut dyn Write) -> Result<()> {
        let paint = Paint::new(self.colour);
        writeln!(out, "{}", paint.heading.apply_to(self.command.join(" ")))?;
        let views: Vec<_> = VIEWS.iter().map(|view| view.name()).collect();
        for name in views {
            let asked = match self.views.is_empty() {
                true => name == TRAIL,
                false => self.views.contains(&name),
            };
            // What differs is worth a word in every view.
            let extent = match asked {
                true => Extent::Whole,
                false => Extent::Differences,
            };
            view(name, extent, records, &paint, out)?;
        }
        for record in records {
            for seen in record.seen.iter().filter(|seen| seen.reason.is_some()) {
                let reason = seen.reason.as_deref().unwrap_or_default();
                let (label, view, outcome) = (record.kernel.label(), seen.view, seen.outcome);
                let wanted = self.views.contains(&view) || self.explain && view == STAGES;
                if wanted || view == TRAIL || outcome == Outcome::Broken {
                    writeln!(
                        out,
                        "  {label}: {view} {outcome}: {}",
                        reason.replace('\n', "\n    ")
                    )?;
                }
            }
        }
        self.model(records, &paint, out)?;
        wrote::show(records, self.output, &paint, out)?;
        if records.iter().filter_map(Record::trail).any(lacks) {
            writeln!(out, "{LACKS}")?;
        } else if records.iter().any(says) {
            writeln!(out, "{SAYS}")?;
        }
        if self.explain {
            self.story(records, out)?;
        }
        Ok(())
    }

    fn model(&self, records: &[Record], paint: &Paint, out: &mut dyn Write) -> Result<()> {
        let mut said: Vec<(Vec<String>, Vec<&Record>)> = Vec::new();
        for record in records {
            let Some(found) = &record.model else { continue };
            let lines = predicted(found);
            match said.iter_mut().find(|(known, _)| *known == lines) {
                Some((_, kernels)) => kernels.push(record),
                None => said.push((lines, vec![record])),
            }
        }
        for (lines, kernels) in &said {
            let title = match said.len() {
                1 => "model".to_owned(),
                _ => format!("model, on {}", labels(kernels)),
            };
            writeln!(out, "  {}", paint.quiet.apply_to(title))?;
            lines
                .iter()
                .try_for_each(|line| writeln!(out, "    {line}"))?;
        }
        Ok(())
    }

    fn story(&self, records: &[Record], out: &mut dyn Write) -> Result<()> {
        let view = STAGES
            .view()
            .context("there is no view that tells a story")?;
        let behaviours = behaviours(records, STAGES);
        for (_, kernels) in &behaviours {
            let body = kernels[0].of(STAGES).and_then(|seen| seen.body.as_ref());
            if let Some(story) = body.and_then(|body| view.explain(body, Length::Brief)) {
                writeln!(
                    out,
                    "\nwhat the kernel does, on {}:\n\n{}",
                    labels(kernels),
                    story.trim_end()
                )?;
            }
        }
        Ok(())
    }
}

/// How much of a view is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// What was seen, and what differs from it: line by line where there are no words for it.
    Whole,
    /// What differs, in words.
    Differences,
}

/// Shows one view of all kernels.
fn view(
    name: ViewName,
    extent: Extent,
    records: &[Record],
    paint: &Paint,
    out: &mut dyn Write,
) -> Result<()> {
    let view = name.view().context("there is no such view")?;
    let behaviours = behaviours(records, name);
    let Some(((_, first), others)) = behaviours.split_first() else {
        return Ok(());
    };
    if extent == Extent::Whole {
        let title = match others.is_empty() {
            true if records.len() > 1 => format!("{name}, alike on {}", labels(first)),
            _ => format!("{name}, on {}", labels(first)),
        };
        let until = match is_whole(first[0]) {
            true => "",
            false => ", until it was killed",
        };
        let title = title + until;
        writeln!(out, "  {}", paint.quiet.apply_to(title))?;
        if let Some(body) = first[0].of(name).and_then(|seen| seen.body.as_ref()) {
            view.show(body, paint, out)?;
        }
    }
    for (_, kernels) in others {
        let side = |record: &Record| Side::seen(&record.kernel);
        let body = |record: &'_ Record| record.of(name)?.body.clone();
        let (Some(old), Some(new)) = (body(first[0]), body(kernels[0])) else {
            continue;
        };
        let (old, new) = ((side(first[0]), &old), (side(kernels[0]), &new));
        let compared = view.compare(&first[0].scenario, old, new);
        let title = format!(
            "{name}: {} differs from {}",
            labels(kernels),
            first[0].kernel.label()
        );
        writeln!(out, "  {}", paint.changed.apply_to(title))?;
        for line in &compared.words {
            writeln!(out, "    {line}")?;
        }
        if extent == Extent::Whole && compared.words.is_empty() {
            let lines = compared.diff.lines().skip(2);
            for line in lines.filter(|line| line.starts_with(['+', '-'])) {
                writeln!(out, "    {}", paint.diff_line(line))?;
            }
        }
    }
    Ok(())
}

pub(super) fn labels(records: &[&Record]) -> String {
    let labels = records.iter().map(|record| match records.len() {
        1 => format!("{} ({})", record.kernel.label(), record.kernel.release),
        _ => record.kernel.label().to_owned(),
    });
    labels.collect::<Vec<_>>().join(", ")
}

/// What the model says, in lines.
fn predicted(found: &Agreement) -> Vec<String> {
    let Agreement {
        kernel,
        loader,
        own,
        ..
    } = found;
    let mut lines = Vec::new();
    let wrong = wrong(found);
    let counts = [
        (kernel, "of the kernel"),
        (loader, "of the loader"),
        (own, "of the program's own, by exe and comm"),
    ];
    let counts = counts.iter().filter(|(count, _)| **count > 0);
    let counts: Vec<_> = counts
        .map(|(count, whose)| format!("{count} {whose}"))
        .collect();
    let steps = counts.join(", ");
    lines.push(match (wrong.len(), counts.is_empty()) {
        (0, true) => "predicted that there is no step".to_owned(),
        (0, false) => format!("predicted all steps: {steps}"),
        (_, true) => "predicted something else:".to_owned(),
        (_, false) => format!("predicted these steps: {steps}; but not:"),
    });
    lines.extend(wrong.iter().map(|line| format!("  {line}")));
    lines.extend(
        found
            .unknown
            .iter()
            .map(|line| format!("does not predict: {line}")),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Ended;
    use crate::view::Body;
    use crate::view::tests::record;
    use crate::view::trail::Steps;
    use crate::wire::Wrote;

    #[test]
    fn what_the_model_predicted_is_counted_and_what_there_is_none_of_is_not() {
        let of = |kernel, disagreements: &[&str]| {
            predicted(&Agreement {
                kernel,
                disagreements: disagreements.iter().map(|&line| line.to_owned()).collect(),
                ..Agreement::default()
            })
        };
        assert_eq!(of(2, &[]), ["predicted all steps: 2 of the kernel"]);
        assert_eq!(of(0, &[]), ["predicted that there is no step"]);
        let wrong = of(2, &["open /a"]);
        assert_eq!(
            wrong,
            [
                "predicted these steps: 2 of the kernel; but not:",
                "  open /a"
            ]
        );
    }

    #[test]
    fn who_fails_for_want_of_a_file_says_so() {
        let of = |how, line: &str| {
            let mut record = record("try", "6.1", Outcome::Seen);
            let process = "p1".to_owned();
            let trail = Trail {
                ended: vec![Ended { process, how }],
                ..Trail::default()
            };
            record.seen[0].body = Some(Body::new::<Steps>(trail));
            record.output = vec![Wrote {
                heading: None,
                lines: vec![line.to_owned()],
                cut: false,
            }];
            says(&record)
        };
        let line = "ModuleNotFoundError: No module named 'encodings'";
        assert!(of(How::Exit(1), line));
        assert!(!of(How::Exit(0), line) && !of(How::Exit(1), "usage: x"));
    }

    #[test]
    fn only_status_127_is_that_of_something_missing() {
        let of = |how| {
            let process = "p1".to_owned();
            let ended = vec![Ended { process, how }];
            lacks(&Trail {
                ended,
                ..Trail::default()
            })
        };
        assert!(of(How::Exit(127)));
        assert!(!of(How::Exit(126)) && !of(How::Errno("ENOENT".to_owned())));
    }
}
