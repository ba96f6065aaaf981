//! The text of a trail, as snapshots have it. See `docs/trail-format.md`.

use std::fmt;

use super::{Started, Step, Trail, field};

/// What stands before a step's comm.
pub(super) const COMM: &str = " comm=";
/// What stands before the comm of the thread that waits.
pub(super) const THREAD: &str = " thread=";
/// What stands before a step that was made before its section's call.
pub(super) const BEFORE: &str = "before ";
/// What stands before a step's path.
pub(crate) const PATH: &str = " : path=";

impl fmt::Display for Trail {
    /// One section a process, parted by an empty line; inside it the start, the steps and the end.
    /// What is said of the whole comes first. The launcher and processes outside of the scenario have no start and come first. Where there
    /// are several cases, each begins with its heading.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.verdicts {
            writeln!(f, "{verdict}")?;
        }
        for fact in &self.facts {
            writeln!(f, "fact {fact}")?;
        }
        let is_said = !self.verdicts.is_empty() || !self.facts.is_empty();
        let is_seen = !self.started.is_empty() || !self.steps.is_empty() || !self.cases.is_empty();
        if is_said && (is_seen || self.hang.is_some()) {
            writeln!(f)?;
        }
        for (number, case) in self.cases.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            write!(f, "{gap}case {}\n\n{}", case.heading, case.trail)?;
        }
        if let Some(hang) = &self.hang {
            writeln!(f, "hang: {hang}\n")?;
        }
        let mut gap = "";
        for (process, started) in self.sections() {
            if let Some(started) = started {
                writeln!(f, "{gap}{started}")?;
            }
            self.section(process, f)?;
            gap = "\n";
        }
        Ok(())
    }
}

impl Trail {
    /// Processes in the order of their sections, each with its start: those that have none come first.
    pub fn sections(&self) -> Vec<(&str, Option<&Started>)> {
        let mut sections: Vec<(&str, Option<&Started>)> = Vec::new();
        for process in self.steps.iter().map(|step| step.process.as_str()) {
            let is_started = self.started.iter().any(|start| start.process == process);
            if !is_started && !sections.iter().any(|(known, _)| *known == process) {
                sections.push((process, None));
            }
        }
        let started = self.started.iter();
        sections.extend(started.map(|start| (start.process.as_str(), Some(start))));
        sections
    }

    fn section(&self, process: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps.iter().filter(|step| step.process == process) {
            writeln!(f, "{step}")?;
        }
        for told in self.told.iter().filter(|told| told.process == process) {
            writeln!(f, "{told}")?;
        }
        for found in self.found.iter().filter(|found| found.process == process) {
            writeln!(f, "{found}")?;
        }
        for ended in self.ended.iter().filter(|ended| ended.process == process) {
            writeln!(f, "end {process}: {}", ended.how)?;
        }
        Ok(())
    }
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start {} by {}", self.process, self.by)?;
        match (&self.call, &self.path) {
            (Some(call), Some(path)) => write!(f, ": {call} {path}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step {
            process,
            parent,
            exe,
            comm,
            path,
            mask,
            before,
            denied,
            thread,
            later,
            ..
        } = self;
        let exe = field::before(exe, &[PATH]);
        let comm = field::before(comm, &[PATH, COMM, THREAD]);
        if *before {
            f.write_str(BEFORE)?;
        }
        if let Some(errno) = denied {
            write!(f, "deny={errno} ")?;
        }
        let perm = mask.name();
        write!(
            f,
            "perm={perm:<7} pid={process} ppid={parent} exe={exe}{COMM}{comm}"
        )?;
        if let Some(thread) = thread {
            write!(f, "{THREAD}{}", field::before(thread, &[PATH, COMM]))?;
        }
        write!(f, "{PATH}{path}")?;
        match later {
            Some(later) => write!(f, "\nlater {process}: {later}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::trail::parse;

    #[test]
    fn what_is_said_of_the_whole_is_parted_from_whatever_was_seen() {
        let start = "start p1 by launcher\n";
        let step = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
        let case = "case x\n\nstart p1 by launcher\n";
        for seen in [start, step, case] {
            let text = format!("fact a: b\n\n{seen}");
            assert_eq!(parse(&text).unwrap().to_string(), text);
        }
        assert_eq!(parse("fact a: b\n").unwrap().to_string(), "fact a: b\n");
    }
}
