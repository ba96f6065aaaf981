//! One process on one kernel, row by row from top to bottom: steps, the marks of the further views
//! between them, and the rows at which its identity changes.

use crate::trail::{Started, Step, Trail};
use crate::view::{Identity, Mark, Marked, ViewSeen};

/// One start on one kernel; a scenario may observe several.
#[derive(Debug)]
pub struct Part {
    /// What is special about the case; none for the whole.
    pub heading: Option<String>,
    /// Verdicts, facts, hangs and what views have to say of the whole.
    pub said: Vec<String>,
    /// Its processes.
    pub strands: Vec<Strand>,
}

/// One process.
#[derive(Debug)]
pub struct Strand {
    /// Its name.
    pub process: String,
    /// From its start to its end.
    pub rows: Vec<Row>,
}

/// One row; two kernels have the same row if these are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Who started it, and by which call.
    Start(String),
    /// From here on, this is what it is.
    Turn {
        identity: Identity,
        /// What it is now; none where nothing later tells.
        to: Option<String>,
        /// The mark that changes it; none at the first step, and where only the step shows it.
        at: Option<String>,
    },
    /// A step that the monitor held.
    Step {
        step: String,
        path: String,
        denied: Option<String>,
        /// The thread, where it is not the leader, and what a second look found.
        more: Vec<String>,
    },
    /// A mark of a further view.
    Mark {
        view: String,
        name: String,
        seen: String,
        named: bool,
    },
    /// What its program found.
    Told(String, String),
    /// How it ended.
    End(String),
}

/// What one kernel showed, with the marks of the views that have some.
pub fn parts(trail: &Trail, seen: &[ViewSeen]) -> Vec<Part> {
    let bodies = seen.iter().filter_map(|seen| {
        let view = seen.view.view()?;
        Some((view, seen.body.as_ref()?))
    });
    let mut said: Vec<_> = trail.hang.iter().map(|hang| hung(hang)).collect();
    said.extend(trail.verdicts.iter().map(ToString::to_string));
    said.extend(trail.facts.iter().map(|fact| format!("fact {fact}")));
    let mut marks = Vec::new();
    for (view, body) in bodies {
        said.extend(view.notes(body));
        let name = view.name().as_str();
        marks.extend(view.marks(body).into_iter().map(|marked| (name, marked)));
    }
    let mut parts = Vec::new();
    if !said.is_empty() || trail.cases.is_empty() {
        parts.push(Part {
            heading: None,
            said,
            strands: strands(trail, &marks),
        });
    }
    // A scenario of several cases has no further views.
    parts.extend(trail.cases.iter().map(|case| Part {
        heading: Some(case.heading.clone()),
        said: case.trail.hang.iter().map(|hang| hung(hang)).collect(),
        strands: strands(&case.trail, &[]),
    }));
    parts
}

fn hung(hang: &str) -> String {
    format!("The listener hangs: {hang}")
}

fn strands(trail: &Trail, marks: &[(&str, Marked)]) -> Vec<Strand> {
    let of_starts = trail.started.iter().map(|start| start.process.as_str());
    let of_steps = trail.steps.iter().map(|step| step.process.as_str());
    let of_marks = marks.iter().map(|(_, marked)| marked.process.as_str());
    let mut processes: Vec<&str> = Vec::new();
    for process in of_starts.chain(of_steps).chain(of_marks) {
        if !processes.contains(&process) {
            processes.push(process);
        }
    }
    let strand = |process: &str| Strand {
        process: process.to_owned(),
        rows: rows(trail, marks, process),
    };
    processes.into_iter().map(strand).collect()
}

/// What a process is, as far as it is known.
#[derive(Clone, Default)]
struct Now {
    exe: Option<String>,
    comm: Option<String>,
    parent: Option<String>,
}

fn rows(trail: &Trail, marks: &[(&str, Marked)], process: &str) -> Vec<Row> {
    let start = trail.started.iter().find(|start| start.process == process);
    let mut rows: Vec<_> = start.map(started).into_iter().collect();
    let steps = trail.steps.iter().filter(|step| step.process == process);
    let steps: Vec<_> = steps.collect();
    let mut now = Now {
        parent: start.map(|start| start.by.clone()),
        ..Now::default()
    };
    if let Some(first) = steps.first() {
        let first = at_first(first, &groups(marks, process, 0), &now);
        turn(&mut rows, &mut now, &first);
    }
    let mut own = marks.iter().filter(|(_, marked)| marked.process == process);
    let is_new = |mark: &Mark| turns(mark, Identity::Credentials);
    if own.any(|(_, marked)| marked.groups.iter().flatten().any(is_new)) {
        rows.push(Row::Turn {
            identity: Identity::Credentials,
            to: Some("the caller's".to_owned()),
            at: None,
        });
    }
    for (place, step) in steps.iter().enumerate() {
        let marked = groups(marks, process, place);
        passed(&mut rows, &mut now, &marked, Some(step));
        turn(&mut rows, &mut now, &of(step));
        rows.push(Row::Step {
            step: step.step.clone(),
            path: step.path.clone(),
            denied: step.denied.clone(),
            more: more(step),
        });
    }
    let rest = (steps.len()..).map(|place| groups(marks, process, place));
    let rest: Vec<_> = rest.take_while(|marked| !marked.is_empty()).collect();
    passed(&mut rows, &mut now, &rest.concat(), None);
    rows.extend(last(trail, process));
    rows
}

/// Who started a process, and by which call.
fn started(start: &Started) -> Row {
    Row::Start(match (&start.call, &start.path) {
        (Some(call), Some(path)) => format!("by {}: {call} {path}", start.by),
        _ => format!("by {}", start.by),
    })
}

/// What a process is at its first step: what marks before it bring is not what it was.
fn at_first(step: &Step, marked: &[(&str, &Mark)], now: &Now) -> Now {
    let shown = of(step);
    let keeps = |what| !marked.iter().any(|(_, mark)| turns(mark, what));
    Now {
        exe: shown.exe.filter(|_| keeps(Identity::Exe)),
        comm: shown.comm.filter(|_| keeps(Identity::Comm)),
        parent: now.parent.clone().or(shown.parent),
    }
}

/// What the program of a process found, and how it ended.
fn last(trail: &Trail, process: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let told = trail.told.iter().filter(|told| told.process == process);
    rows.extend(told.flat_map(|told| {
        let fields = told.told.fields().into_iter();
        fields.map(|(field, value)| Row::Told(field.to_owned(), value))
    }));
    let found = trail.found.iter().filter(|found| found.process == process);
    rows.extend(found.map(|found| Row::Told(found.fact.name.clone(), found.fact.value.clone())));
    let end = trail.ended.iter().find(|end| end.process == process);
    rows.extend(end.map(|end| Row::End(end.how.to_string())));
    rows
}

/// The marks of all views at one place of a process: before the step of this number.
fn groups<'a>(
    marks: &'a [(&'a str, Marked)],
    process: &str,
    place: usize,
) -> Vec<(&'a str, &'a Mark)> {
    let own = marks.iter().filter(|(_, marked)| marked.process == process);
    let own = own.filter_map(|(view, marked)| Some((*view, marked.groups.get(place)?)));
    own.flat_map(|(view, marks)| marks.iter().map(move |mark| (view, mark)))
        .collect()
}

fn more(step: &Step) -> Vec<String> {
    let before = step.before.then(|| "before the call".to_owned());
    let thread = step
        .thread
        .iter()
        .map(|thread| format!("by the thread {thread}"));
    let later = step
        .later
        .iter()
        .map(|later| format!("answered late: {later}"));
    before.into_iter().chain(thread).chain(later).collect()
}

fn turns(mark: &Mark, what: Identity) -> bool {
    mark.turns.as_ref().is_some_and(|turn| turn.what == what)
}

fn of(step: &Step) -> Now {
    Now {
        exe: Some(step.exe.clone()),
        comm: Some(step.comm.clone()),
        parent: Some(step.parent.clone()),
    }
}

/// Rows for what the step shows and no mark has told.
fn turn(rows: &mut Vec<Row>, now: &mut Now, then: &Now) {
    let pairs = [
        (Identity::Exe, &mut now.exe, &then.exe),
        (Identity::Comm, &mut now.comm, &then.comm),
        (Identity::Parent, &mut now.parent, &then.parent),
    ];
    for (identity, old, new) in pairs {
        if new.is_some() && old != new {
            old.clone_from(new);
            rows.push(Row::Turn {
                identity,
                to: new.clone(),
                at: None,
            });
        }
    }
}

/// Rows for the marks that a process passes before this step, or before its end.
fn passed(rows: &mut Vec<Row>, now: &mut Now, marks: &[(&str, &Mark)], step: Option<&&Step>) {
    // The last mark that changes exe makes it what the step shows.
    let last = marks
        .iter()
        .rposition(|(_, mark)| turns(mark, Identity::Exe));
    for (number, (view, mark)) in marks.iter().enumerate() {
        let Some(turn) = &mark.turns else {
            rows.push(Row::Mark {
                view: (*view).to_owned(),
                name: mark.name.clone(),
                seen: mark.seen.clone(),
                named: mark.named,
            });
            continue;
        };
        let shown = step
            .filter(|_| last == Some(number))
            .and_then(|s| of(s).exe);
        let to = turn.to.clone().or(match turn.what {
            Identity::Exe => shown,
            _ => None,
        });
        match turn.what {
            Identity::Exe => now.exe.clone_from(&to),
            Identity::Comm => now.comm.clone_from(&to),
            Identity::Credentials | Identity::Parent => {}
        }
        rows.push(Row::Turn {
            identity: turn.what,
            to,
            at: Some(format!("{}: {}", mark.name, mark.seen)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Outcome;
    use crate::view::stages::Stages;
    use crate::view::{Body, STAGES, View as _};

    /// The rows of p1 in short: steps by path, turns by what and to, marks by name.
    fn short(text: &str) -> Vec<String> {
        let story = Stages::parse(text).unwrap();
        let trail = story.trail.clone();
        let seen = ViewSeen {
            body: Some(Body::new::<Stages>(story)),
            outcome: Outcome::Same,
            ..ViewSeen::nothing(STAGES, Outcome::Same, "")
        };
        let rows = parts(&trail, &[seen]).remove(0).strands.remove(0).rows;
        let rows = rows.into_iter().filter_map(|row| match row {
            Row::Step { path, .. } => Some(path),
            Row::Turn { identity, to, at } => Some(format!(
                "{} {}{}",
                identity.name(),
                to.unwrap_or_default(),
                if at.is_some() { " by mark" } else { "" }
            )),
            Row::Mark { name, .. } => Some(name),
            _ => None,
        });
        rows.collect()
    }

    const START: &str = "start p1 by launcher: execve /a\n";

    #[test]
    fn a_mark_that_changes_exe_makes_it_what_the_next_step_shows() {
        let rows = short(&format!(
            "{START}perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
             stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
             stage=comm                   pid=p1 : task:task_rename = a\n\
             perm=open    pid=p1 ppid=launcher exe=/a comm=a : path=/c\n"
        ));
        let expected = [
            "exe /x",
            "comm x",
            "/a",
            "exe /a by mark",
            "comm a by mark",
            "/c",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn without_a_mark_the_step_itself_shows_the_change() {
        let text = format!(
            "{START}perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
             perm=open    pid=p1 ppid=launcher exe=/a comm=x : path=/c\n"
        );
        let rows = short(&text);
        assert_eq!(rows, ["exe /x", "comm x", "/a", "exe /a", "/c"]);
    }

    #[test]
    fn another_parent_is_a_row() {
        let text = format!("{START}perm=open    pid=p1 ppid=p0 exe=/x comm=x : path=/a\n");
        assert!(short(&text).contains(&"parent p0".to_owned()));
    }

    #[test]
    fn marks_after_the_last_step_are_kept() {
        let text = format!(
            "{START}stage=return                 pid=p1 : x = ENOENT\nend p1: errno ENOENT\n"
        );
        assert_eq!(short(&text), ["return"]);
    }
}
