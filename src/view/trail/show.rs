//! The trail on a terminal: one process after the other, with a rule where exe, comm or parent change.

use std::io::{self, Write};

use crate::trail::{How, Started, Step, Trail};
use crate::view::Paint;

/// One process after the other, with a rule where exe, comm or parent change.
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
    for (process, started) in trail.sections() {
        let start = started.map_or_else(|| process.to_owned(), ToString::to_string);
        writeln!(out, "    {}", paint.quiet.apply_to(start))?;
        let mut previous: Option<&Step> = None;
        for step in trail.steps.iter().filter(|step| step.process == process) {
            if previous.is_none() {
                let exe = paint.quiet.apply_to("exe");
                writeln!(out, "      {exe} {} (comm {})", step.exe, step.comm)?;
            }
            let parent = previous.map_or_else(
                || started.map(|start| start.by.as_str()),
                |previous| Some(previous.parent.as_str()),
            );
            if let Some(what) = changed(step, previous, parent) {
                writeln!(out, "      {}", paint.heading.apply_to(what))?;
            }
            line(step, trail, paint, out)?;
            previous = Some(step);
        }
        if let (Some(started), Some(last)) = (started, previous)
            && is_silent(trail, started, last)
        {
            let what = "── exe changes after the last of these, and nothing is opened under the new one ──";
            writeln!(out, "      {}", paint.quiet.apply_to(what))?;
        }
        for told in trail.told.iter().filter(|told| told.process == process) {
            writeln!(out, "    {}", paint.quiet.apply_to(told))?;
        }
        let found = trail.found.iter();
        for found in found.filter(|found| found.process == process) {
            writeln!(out, "    {}", paint.quiet.apply_to(found))?;
        }
        for ended in trail.ended.iter().filter(|ended| ended.process == process) {
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

/// Whether a process made an exec that succeeded, and opened nothing after it.
fn is_silent(trail: &Trail, started: &Started, last: &Step) -> bool {
    let is_exec = |call: &str| ["execve", "fexecve", "execveat"].contains(&call);
    let path = started.path.as_deref().unwrap_or_default();
    let ended = |how: &How| matches!(how, How::Exit(_));
    let mut ends = trail.ended.iter();
    started.call.as_deref().is_some_and(is_exec)
        // That one executes nothing.
        && !path.contains("AT_EXECVE_CHECK")
        && last.exe_of_old(trail)
        && ends.any(|end| end.process == started.process && ended(&end.how))
}

/// The rule above a step of which something is not as it was at the one before, or its parent not who is known to be it.
pub fn changed(step: &Step, previous: Option<&Step>, parent: Option<&str>) -> Option<String> {
    let mut what = Vec::new();
    match previous {
        Some(previous) if previous.exe != step.exe => {
            what.push(format!("exe is now {} (comm {})", step.exe, step.comm));
        }
        Some(previous) if previous.comm != step.comm => {
            what.push(format!("comm is now {}", step.comm));
        }
        _ => {}
    }
    if parent.is_some_and(|parent| parent != step.parent) {
        what.push(format!("parent is now {}", step.parent));
    }
    (!what.is_empty()).then(|| format!("── {} ──", what.join(", ")))
}

/// A step, and what else is known of it.
pub fn line(step: &Step, trail: &Trail, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let before = if step.before { ", before the call" } else { "" };
    let phase = match step.exe_of_old(trail) {
        true => &paint.old,
        false => &paint.new,
    };
    let what = format!("{:<8} {}{before}", step.step, step.path);
    writeln!(out, "      {}", phase.apply_to(what))?;
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
    Ok(())
}

impl Step {
    /// Whether its process still had the exe of its first step.
    pub fn exe_of_old(&self, trail: &Trail) -> bool {
        let first = trail.steps.iter().find(|step| step.process == self.process);
        first.is_some_and(|first| first.exe == self.exe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::parse;
    use crate::view::Colour;

    /// What is shown of a trail, line by line.
    fn shown(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        phases(&parse(text).unwrap(), &Paint::new(Colour::No), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        out.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn who_has_no_start_is_shown_first() {
        let step = "perm=open    pid=launcher ppid=init exe=/x comm=x : path=/a\n\n";
        let lines = shown(&format!("{step}start p1 by launcher\n"));
        let wanted = [
            "launcher",
            "exe /x (comm x)",
            "open     /a",
            "start p1 by launcher",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn an_exec_after_which_nothing_is_opened_is_told() {
        let told = |how: &str| {
            let step = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
            let lines = shown(&format!(
                "start p1 by launcher: execve /a\n{step}end p1: {how}\n"
            ));
            lines.iter().any(|line| line.contains("under the new one"))
        };
        assert!(told("exit 9"));
        assert!(!told("errno ENOENT"));
        let check = "start p1 by launcher: execveat AT_EXECVE_CHECK /a\n\
                     perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\nend p1: exit 0\n";
        assert!(
            !shown(check)
                .iter()
                .any(|line| line.contains("under the new one"))
        );
    }

    #[test]
    fn another_comm_or_parent_is_told() {
        let step = |parent: &str, comm: &str| {
            format!("perm=open    pid=p1 ppid={parent} exe=/x comm={comm} : path=/a\n")
        };
        let steps = [
            step("launcher", "x"),
            step("launcher", "y"),
            step("init", "y"),
        ];
        let lines = shown(&format!("start p1 by launcher\n{}", steps.concat()));
        let rules: Vec<_> = lines.iter().filter(|line| line.contains("──")).collect();
        assert_eq!(rules, ["── comm is now y ──", "── parent is now init ──"]);
    }
}
