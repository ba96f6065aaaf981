//! Lines in the form of those that `fapolicyd --debug` prints, with names for numbers; all else is a comment.

use std::io::{self, Write};

use super::{Format, Row, Said};
use crate::trail::{Outcome, Trail};
use crate::view::{Record, TRAIL, ViewSeen, label};

/// The format.
#[derive(Debug)]
pub struct Fapolicyd;

impl Format for Fapolicyd {
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        for seen in &record.seen {
            let calls = seen.outcome.badness() > Outcome::Unsupported.badness();
            if seen.view == TRAIL || calls {
                heading(record, seen, out)?;
            }
            if seen.view == TRAIL
                && let Some(trail) = record.trail()
            {
                steps(trail, out)?;
            }
        }
        out.flush()
    }

    fn end(&mut self, rows: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()> {
        let notes = said.notes.iter();
        let notes = notes.map(|note| format!("note: {note}"));
        let interrupted = said.interrupted.iter();
        let interrupted = interrupted.map(|what| format!("interrupted: {what}"));
        let mut lines = notes.chain(interrupted).chain([said.summary(rows)]);
        lines.try_for_each(|line| writeln!(out, "# {line}"))
    }
}

/// What became of a view, with the reason, or the difference from its snapshot.
fn heading(record: &Record, seen: &ViewSeen, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "# {} on {} ({}): {}",
        label(&record.scenario, seen.view),
        record.kernel.label(),
        record.kernel.release,
        seen.outcome
    )?;
    let judged = seen.judged.as_ref();
    let changed = judged.filter(|_| seen.outcome == Outcome::Changed);
    let diff = changed.and_then(|judged| judged.diff.as_deref());
    let lines = seen.reason.as_deref().into_iter().chain(diff);
    let mut lines = lines.flat_map(str::lines);
    lines.try_for_each(|line| writeln!(out, "#   {line}"))
}

/// The steps of a trail with how each was decided, and what the trail says beside them.
fn steps(trail: &Trail, out: &mut dyn Write) -> io::Result<()> {
    for verdict in &trail.verdicts {
        writeln!(out, "# {verdict}")?;
    }
    if let Some(hang) = &trail.hang {
        writeln!(out, "# hang: {hang}")?;
    }
    for step in &trail.steps {
        let decision = match step.denied {
            Some(_) => "deny",
            None => "allow",
        };
        writeln!(
            out,
            "dec={decision} perm={} pid={} ppid={} exe={} : path={}",
            step.mask.name(),
            step.process,
            step.parent,
            step.exe,
            step.path
        )?;
    }
    for case in &trail.cases {
        writeln!(out, "# case {}", case.heading)?;
        steps(&case.trail, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, shown};
    use super::*;
    use crate::view::trail::Steps;
    use crate::view::{Body, STAGES};

    #[test]
    fn a_step_has_its_decision_and_a_case_its_heading() {
        let mut records = [record("deny/a", "6.1", Outcome::Same)];
        let text = "case one\n\nstart p1 by launcher: execve /a\n\
                    perm=open    pid=p1 ppid=launcher exe=/a comm=a : path=/b\n\
                    deny=EPERM perm=open    pid=p1 ppid=launcher exe=/a comm=a : path=/c\n";
        let trail = crate::trail::parse(text).unwrap();
        records[0].seen[0].body = Some(Body::new::<Steps>(trail));
        let text = shown(&mut Fapolicyd, &records);
        let lines = "# case one\n\
                     dec=allow perm=open pid=p1 ppid=launcher exe=/a : path=/b\n\
                     dec=deny perm=open pid=p1 ppid=launcher exe=/a : path=/c\n";
        assert!(text.contains(lines), "{text}");
    }

    #[test]
    fn what_fails_is_told_whatever_view_it_is_of() {
        let mut records = [record("start/a", "6.1", Outcome::Same)];
        let stages = ViewSeen::nothing(STAGES, Outcome::Broken, "because\nof that");
        records[0].seen.push(stages);
        let text = shown(&mut Fapolicyd, &records);
        let told = "# start/a::stages on 6.1 (6.1.1): broken\n#   because\n#   of that\n";
        assert!(text.contains(told), "{text}");
        assert!(text.ends_with("1 same, 1 broken\n"), "{text}");
    }
}
