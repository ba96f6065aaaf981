//! For people: every behaviour once, with its kernels, its two phases and its differences.

use std::io::{self, Write};

use console::Style;
use similar::{ChangeTag, TextDiff};

use super::matrix::{LEGEND, matrix};
use super::{Colour, Finding, Format, summary};
use crate::baseline::View;
use crate::trail::{Outcome, Point, Step, Trail};

/// The format.
#[derive(Debug)]
pub struct Text {
    colour: Colour,
}

impl Text {
    /// Makes the format.
    #[must_use]
    pub fn new(colour: Colour) -> Text {
        Text { colour }
    }
}

impl Format for Text {
    fn finding(&mut self, _: &Finding, _: &mut dyn Write) -> io::Result<()> {
        // A behaviour is shown once, with all of its kernels: wait for the end.
        Ok(())
    }

    fn end(
        &mut self,
        findings: &[Finding],
        notes: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let paint = Paint::new(self.colour);
        let mut rest = findings;
        while let Some(first) = rest.first() {
            let name = &first.record.scenario;
            let length = rest
                .iter()
                .take_while(|found| found.record.scenario == *name)
                .count();
            let (own, others) = rest.split_at(length);
            rest = others;
            if is_quiet(own, findings) {
                continue;
            }
            writeln!(out, "{}", paint.heading.apply_to(name))?;
            scenario(own, &paint, out)?;
        }
        let kernels = findings.iter().map(|found| found.record.kernel.label());
        if kernels.collect::<std::collections::BTreeSet<_>>().len() > 1 {
            write!(out, "{}", matrix(findings))?;
            writeln!(out, "{}\n", paint.quiet.apply_to(LEGEND))?;
        }
        for note in notes {
            writeln!(out, "{} {note}", paint.changed.apply_to("note:"))?;
        }
        writeln!(out, "{}", summary(findings))
    }
}

/// Whether these are of a second view that says nothing new, beside the trails.
fn is_quiet(own: &[Finding], all: &[Finding]) -> bool {
    let quiet = |found: &Finding| {
        found.view != View::Trail
            && matches!(found.record.outcome, Outcome::Same | Outcome::Unsupported)
    };
    own.iter().all(quiet) && all.iter().any(|found| found.view == View::Trail)
}

/// Shows each behaviour of one scenario, and what came of kernels that gave no trail.
fn scenario(findings: &[Finding], paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut behaviours: Vec<(String, Vec<&Finding>)> = Vec::new();
    let has_trail =
        |found: &&Finding| found.judged.is_some() && found.record.trail != Trail::default();
    for finding in findings.iter().filter(has_trail) {
        let text = finding.text();
        match behaviours.iter_mut().find(|(known, _)| *known == text) {
            Some((_, kernels)) => kernels.push(finding),
            None => behaviours.push((text, vec![finding])),
        }
    }
    let mut previous: Option<&str> = None;
    for (text, kernels) in &behaviours {
        writeln!(out, "  {}", on(kernels, paint))?;
        match (previous, kernels.first()) {
            (Some(previous), _) => difference(previous, text, paint, out)?,
            (None, Some(first)) if first.view == View::Stages => story(first, paint, out)?,
            (None, Some(first)) => phases(&first.record.trail, paint, out)?,
            (None, None) => {}
        }
        previous = Some(text);
        if let Some(changed) = kernels
            .iter()
            .find(|found| found.record.outcome == Outcome::Changed)
            && let Some(diff) = changed
                .judged
                .as_ref()
                .and_then(|judged| judged.diff.as_ref())
        {
            writeln!(
                out,
                "    {}",
                paint.changed.apply_to("differs from the snapshot:")
            )?;
            for line in diff.lines() {
                writeln!(out, "    {}", paint.diff_line(line))?;
            }
        }
    }
    for finding in findings.iter().filter(|found| !has_trail(found)) {
        let reason = finding
            .record
            .reason
            .as_deref()
            .unwrap_or("no reason was given");
        let kernels = on(&[finding], paint);
        let mut lines = reason.lines();
        writeln!(out, "  {kernels}: {}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(out, "    {line}"))?;
    }
    writeln!(out)
}

/// The kernels of a behaviour, with what they have in common: "5.10 6.1: same".
fn on(findings: &[&Finding], paint: &Paint) -> String {
    let mut groups: Vec<(Outcome, Vec<String>)> = Vec::new();
    for finding in findings {
        let kernel = match findings.len() {
            1 => format!(
                "{} ({})",
                finding.record.kernel.label(),
                finding.record.kernel.release
            ),
            _ => finding.record.kernel.label().to_owned(),
        };
        match groups.last_mut() {
            Some((outcome, kernels)) if *outcome == finding.record.outcome => kernels.push(kernel),
            _ => groups.push((finding.record.outcome, vec![kernel])),
        }
    }
    let groups = groups.iter().map(|(outcome, kernels)| {
        let style = match outcome {
            Outcome::Same => &paint.same,
            Outcome::Changed | Outcome::New => &paint.changed,
            Outcome::Unsupported => &paint.quiet,
            Outcome::Broken => &paint.broken,
        };
        format!("{} {}", kernels.join(" "), style.apply_to(outcome))
    });
    groups.collect::<Vec<_>>().join(", ")
}

/// Steps and stages interleaved, one process after the other, with a rule where exe changes.
fn story(finding: &Finding, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let (trail, inside) = (&finding.record.trail, &finding.record.inside);
    if !inside.untraceable.is_empty() {
        let what = format!("not traceable here: {}", inside.untraceable.join(", "));
        writeln!(out, "    {}", paint.quiet.apply_to(what))?;
    }
    let mut process = "";
    let mut exe: Option<&str> = None;
    for point in &inside.stages {
        if point.process() != process {
            (process, exe) = (point.process(), None);
            let start = trail.started.iter().find(|start| start.process == process);
            let start = start.map_or_else(|| process.to_owned(), ToString::to_string);
            writeln!(out, "    {}", paint.quiet.apply_to(start))?;
        }
        match point {
            Point::Step(step) => {
                if exe != Some(&step.exe) {
                    let what = format!("── exe {} (comm {}) ──", step.exe, step.comm);
                    writeln!(out, "      {}", paint.heading.apply_to(what))?;
                }
                exe = Some(&step.exe);
                let style = if step.exe_of_old(trail) {
                    &paint.old
                } else {
                    &paint.new
                };
                let what = format!("{:<8} {}", step.step, step.path);
                writeln!(out, "      {}", style.apply_to(what))?;
            }
            Point::Stage(mark) => {
                let detail = mark.detail.as_ref().map(|detail| format!(" = {detail}"));
                let detail = detail.unwrap_or_default();
                let symbol = paint.quiet.apply_to(format!("{}{detail}", mark.symbol));
                writeln!(out, "        {:<22} {symbol}", mark.stage)?;
            }
        }
    }
    for ended in &trail.ended {
        let what = format!("end {}: {}", ended.process, ended.how);
        writeln!(out, "    {}", paint.quiet.apply_to(what))?;
    }
    Ok(())
}

/// One process after the other, with a rule where exe changes.
fn phases(trail: &Trail, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    if let Some(hang) = &trail.hang {
        let what = format!("hang: {hang}");
        writeln!(out, "    {}", paint.changed.apply_to(what))?;
    }
    for verdict in &trail.verdicts {
        writeln!(out, "    {}", paint.heading.apply_to(verdict))?;
    }
    for fact in &trail.facts {
        writeln!(out, "    fact {fact}")?;
    }
    for case in &trail.cases {
        let heading = format!("case {}", case.heading);
        writeln!(out, "    {}", paint.heading.apply_to(heading))?;
        phases(&case.trail, paint, out)?;
    }
    for started in &trail.started {
        writeln!(out, "    {}", paint.quiet.apply_to(started))?;
        let steps: Vec<_> = trail
            .steps
            .iter()
            .filter(|step| step.process == started.process)
            .collect();
        let mut previous: Option<&Step> = None;
        for step in steps {
            let moved = previous.is_some_and(|previous| previous.exe != step.exe);
            if moved {
                let what = format!(
                    "── point of no return: exe is now {} (comm {}) ──",
                    step.exe, step.comm
                );
                writeln!(out, "      {}", paint.heading.apply_to(what))?;
            } else if previous.is_none() {
                writeln!(
                    out,
                    "      {} {} (comm {})",
                    paint.quiet.apply_to("exe"),
                    step.exe,
                    step.comm
                )?;
            }
            let phase = match step.exe_of_old(trail) {
                true => &paint.old,
                false => &paint.new,
            };
            writeln!(
                out,
                "      {}",
                phase.apply_to(format!("{:<8} {}", step.step, step.path))
            )?;
            if let Some(errno) = &step.denied {
                let what = format!("         denied with {errno}");
                writeln!(out, "{}", paint.changed.apply_to(what))?;
            }
            previous = Some(step);
        }
        for told in trail
            .told
            .iter()
            .filter(|told| told.process == started.process)
        {
            writeln!(out, "    {}", paint.quiet.apply_to(told))?;
        }
        let found = trail.found.iter();
        for found in found.filter(|found| found.process == started.process) {
            writeln!(out, "    {}", paint.quiet.apply_to(found))?;
        }
        for ended in trail
            .ended
            .iter()
            .filter(|ended| ended.process == started.process)
        {
            writeln!(
                out,
                "    {}",
                paint
                    .quiet
                    .apply_to(format!("end {}: {}", ended.process, ended.how))
            )?;
        }
    }
    Ok(())
}

impl Step {
    /// Whether its process had not yet passed the point of no return.
    fn exe_of_old(&self, trail: &Trail) -> bool {
        let first = trail.steps.iter().find(|step| step.process == self.process);
        first.is_some_and(|first| first.exe == self.exe)
    }
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

/// Styles, all plain when there is no colour.
struct Paint {
    heading: Style,
    quiet: Style,
    old: Style,
    new: Style,
    same: Style,
    changed: Style,
    broken: Style,
    added: Style,
    removed: Style,
}

impl Paint {
    fn new(colour: Colour) -> Paint {
        let style = || Style::new().force_styling(colour == Colour::Yes);
        Paint {
            heading: style().bold(),
            quiet: style().dim(),
            old: style().yellow(),
            new: style().cyan(),
            same: style().green(),
            changed: style().yellow().bold(),
            broken: style().red().bold(),
            added: style().green(),
            removed: style().red(),
        }
    }

    fn diff_line(&self, line: &str) -> String {
        let style = match line.as_bytes().first() {
            Some(b'+') => &self.added,
            Some(b'-') => &self.removed,
            _ => &self.quiet,
        };
        style.apply_to(line).to_string()
    }
}
