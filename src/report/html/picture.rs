//! A trail as a picture: a lane for each process, a row for each step, a colour for each exe; and
//! one such part for each case, where a scenario observes several starts.

use serde::Serialize;

use crate::trail::{Step, Trail};
use crate::view::{Mark, Seen};

/// The colours of a scenario: the same exe has the same one in all of its pictures.
#[derive(Debug, Default)]
pub struct Palette {
    exes: Vec<String>,
}

/// How many colours the style sheet has; further exes begin anew.
const COLOURS: usize = 6;

impl Palette {
    fn of(&mut self, exe: &str) -> usize {
        let known = self.exes.iter().position(|known| known == exe);
        known.unwrap_or_else(|| {
            self.exes.push(exe.to_owned());
            self.exes.len() - 1
        }) % COLOURS
    }
}

/// The parts of one trail.
#[derive(Debug, Serialize)]
pub struct Picture {
    parts: Vec<Part>,
}

/// The lanes of one start.
#[derive(Debug, Serialize)]
struct Part {
    /// What is special about the case.
    heading: Option<String>,
    /// Verdicts and facts, which are of the whole.
    said: Vec<String>,
    /// The listener that hung, so that there are no lanes.
    hang: Option<String>,
    lanes: Vec<Lane>,
}

/// One process.
#[derive(Debug, Serialize)]
struct Lane {
    process: String,
    /// Who started it, and by which call.
    start: Option<String>,
    phases: Vec<Phase>,
    /// What the program found when it began to run.
    told: Vec<Told>,
    /// Marks after the last step.
    marks: Vec<Mark>,
    end: Option<String>,
}

/// One thing that a program was told, or found of its own state.
#[derive(Debug, Serialize)]
struct Told {
    field: String,
    value: String,
}

/// The steps that a process takes under one exe and comm.
#[derive(Debug, Serialize)]
struct Phase {
    colour: usize,
    exe: String,
    comm: String,
    /// What became other than in the phase before: exe (the point of no return), or comm alone.
    turn: Option<&'static str>,
    steps: Vec<Shown>,
}

/// One step.
#[derive(Debug, Serialize)]
struct Shown {
    step: String,
    /// The last part of the path, and what is before it.
    name: String,
    directory: String,
    /// The errno that the monitor gave instead of the file.
    denied: Option<String>,
    /// Marks before it.
    marks: Vec<Mark>,
}

impl Picture {
    /// Draws a trail, with the marks of the further views that have some.
    pub fn new(trail: &Trail, seen: &[Seen], palette: &mut Palette) -> Picture {
        let mut parts = Vec::new();
        let verdicts = trail.verdicts.iter().map(ToString::to_string);
        let facts = trail.facts.iter().map(|fact| format!("fact {fact}"));
        let said: Vec<_> = verdicts.chain(facts).collect();
        if !said.is_empty() {
            parts.push(Part {
                heading: None,
                said,
                hang: None,
                lanes: Vec::new(),
            });
        }
        if trail.cases.is_empty() {
            parts.push(part(None, (trail, seen), palette));
        }
        for case in &trail.cases {
            // A scenario of several execs has no further views.
            let own = (&case.trail, &[][..]);
            parts.push(part(Some(case.heading.clone()), own, palette));
        }
        Picture { parts }
    }
}

fn part(heading: Option<String>, (trail, seen): (&Trail, &[Seen]), palette: &mut Palette) -> Part {
    let mut processes: Vec<&str> = Vec::new();
    let of_steps = trail.steps.iter().map(|step| step.process.as_str());
    let of_starts = trail.started.iter().map(|start| start.process.as_str());
    for process in of_starts.chain(of_steps) {
        if !processes.contains(&process) {
            processes.push(process);
        }
    }
    let lanes = processes
        .into_iter()
        .map(|process| lane((trail, seen), process, palette));
    Part {
        heading,
        said: Vec::new(),
        hang: trail.hang.clone(),
        lanes: lanes.collect(),
    }
}

fn lane((trail, seen): (&Trail, &[Seen]), process: &str, palette: &mut Palette) -> Lane {
    let mut marks = marks(seen, process).into_iter();
    let steps: Vec<_> = trail
        .steps
        .iter()
        .filter(|step| step.process == process)
        .collect();
    let mut phases: Vec<Phase> = Vec::new();
    for run in steps.chunk_by(|a, b| a.exe == b.exe && a.comm == b.comm) {
        let [first, ..] = run else { continue };
        let turn = phases.last().map(|before| match before.exe == first.exe {
            true => "comm",
            false => "exe",
        });
        phases.push(Phase {
            colour: palette.of(&first.exe),
            exe: first.exe.clone(),
            comm: first.comm.clone(),
            turn,
            steps: run
                .iter()
                .map(|step| shown(step, marks.next().unwrap_or_default()))
                .collect(),
        });
    }
    let start = trail.started.iter().find(|start| start.process == process);
    let end = trail.ended.iter().find(|end| end.process == process);
    let told = trail.told.iter().filter(|told| told.process == process);
    let told = told.flat_map(|told| told.told.fields());
    let told = told.map(|(field, value)| (field.to_owned(), value));
    let found = trail.found.iter().filter(|found| found.process == process);
    let found = found.map(|found| (found.fact.name.clone(), found.fact.value.clone()));
    let told = told.chain(found);
    Lane {
        process: process.to_owned(),
        told: told.map(|(field, value)| Told { field, value }).collect(),
        start: start.map(|start| {
            let call = match (&start.call, &start.path) {
                (Some(call), Some(path)) => format!(": {call} {path}"),
                _ => String::new(),
            };
            format!("by {}{call}", start.by)
        }),
        phases,
        marks: marks.flatten().collect(),
        end: end.map(|end| end.how.to_string()),
    }
}

/// The marks before each step of a process, and after the last one, of all views together.
fn marks(seen: &[Seen], process: &str) -> Vec<Vec<Mark>> {
    let mut all: Vec<Vec<Mark>> = Vec::new();
    for seen in seen {
        let (Some(view), Some(body)) = (seen.view.view(), &seen.body) else {
            continue;
        };
        for (place, marks) in view.marks(body, process).into_iter().enumerate() {
            match all.get_mut(place) {
                Some(known) => known.extend(marks),
                None => all.push(marks),
            }
        }
    }
    all
}

fn shown(step: &Step, marks: Vec<Mark>) -> Shown {
    let path = &step.path;
    let at = path.rfind('/').map_or(0, |slash| slash + 1);
    Shown {
        step: step.step.clone(),
        name: path[at..].to_owned(),
        directory: path[..at].to_owned(),
        denied: step.denied.clone(),
        marks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::parse;

    #[test]
    fn a_phase_ends_where_exe_changes() {
        let text = "start p1 by launcher: execve /a\n\
                    perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
                    perm=open    pid=p1 ppid=launcher exe=/a comm=a : path=/lib/c\n";
        let picture = Picture::new(&parse(text).unwrap(), &[], &mut Palette::default());
        let phases = &picture.parts[0].lanes[0].phases;
        assert_eq!((phases.len(), phases[1].turn), (2, Some("exe")));
        assert_eq!(phases[1].steps[0].name, "c");
        assert_ne!(phases[0].colour, phases[1].colour);
    }

    #[test]
    fn each_case_is_a_part_with_its_heading() {
        let text = "case deny 1: open /a\n\nstart p1 by launcher: execve /a\n\
                    deny=EPERM perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
        let picture = Picture::new(&parse(text).unwrap(), &[], &mut Palette::default());
        let [part] = picture.parts.as_slice() else {
            panic!("one part")
        };
        assert_eq!(part.heading.as_deref(), Some("deny 1: open /a"));
        assert_eq!(
            part.lanes[0].phases[0].steps[0].denied.as_deref(),
            Some("EPERM")
        );
    }
}
