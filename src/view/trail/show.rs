//! The trail on a terminal: one process after the other, with a rule where exe changes.

use std::io::{self, Write};

use crate::trail::{Step, Trail};
use crate::view::Paint;

/// One process after the other, with a rule where exe changes.
pub fn phases(trail: &Trail, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
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
                let what = format!("── exe is now {} (comm {}) ──", step.exe, step.comm);
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
            let before = if step.before { ", before the call" } else { "" };
            let phase = match step.exe_of_old(trail) {
                true => &paint.old,
                false => &paint.new,
            };
            writeln!(
                out,
                "      {}",
                phase.apply_to(format!("{:<8} {}{before}", step.step, step.path))
            )?;
            if let Some(thread) = &step.thread {
                let what = format!("         by the thread {thread}");
                writeln!(out, "{}", paint.quiet.apply_to(what))?;
            }
            if let Some(later) = &step.later {
                let what = format!("         answered late: {later}");
                writeln!(out, "{}", paint.changed.apply_to(what))?;
            }
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
    /// Whether its process still had the exe of its first step.
    pub fn exe_of_old(&self, trail: &Trail) -> bool {
        let first = trail.steps.iter().find(|step| step.process == self.process);
        first.is_some_and(|first| first.exe == self.exe)
    }
}
