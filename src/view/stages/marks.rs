//! The stages of each process as marks on its lane in the picture of the trail.

use crate::stages::{Inside, Point, StageMark};
use crate::view::{Identity, Mark, Marked, Turn};

/// Stages whose names are told where the others are only counted.
const NAMED: [&str; 5] = [
    "refused",
    "begin-new-exec",
    "return",
    "loader-runs",
    "program-runs",
];

/// The marks of each process: before each of its steps, and after the last one.
pub fn marks(inside: &Inside) -> Vec<Marked> {
    let mut all: Vec<Marked> = Vec::new();
    for point in &inside.stages {
        let process = point.process();
        let known = all.iter().position(|marked| marked.process == process);
        let number = known.unwrap_or_else(|| {
            all.push(Marked {
                process: process.to_owned(),
                groups: vec![Vec::new()],
            });
            all.len() - 1
        });
        let groups = &mut all[number].groups;
        match (point, groups.last_mut()) {
            (Point::Stage(stage), Some(group)) => group.push(mark(stage)),
            _ => groups.push(Vec::new()),
        }
    }
    all
}

/// What cannot be seen on this kernel, whose marks are missing for that reason.
pub fn notes(inside: &Inside) -> Vec<String> {
    let blind = inside.untraceable.iter();
    let blind = blind.map(|stage| format!("not traceable here: {stage}"));
    let absent = inside.absent.iter();
    let absent = absent.map(|function| format!("not on this kernel: {function}"));
    blind.chain(absent).collect()
}

fn mark(mark: &StageMark) -> Mark {
    let detail = mark.detail.as_ref().map(|detail| format!(" = {detail}"));
    let turn = |what, to| Some(Turn { what, to });
    Mark {
        name: mark.stage.clone(),
        seen: format!("{}{}", mark.symbol, detail.unwrap_or_default()),
        named: NAMED.contains(&mark.stage.as_str()),
        turns: match mark.stage.as_str() {
            "memory-map" => turn(Identity::Exe, None),
            "comm" => turn(Identity::Comm, mark.detail.clone()),
            "credentials" => turn(Identity::Credentials, None),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::parse;

    fn marked(stages: &str) -> Vec<Vec<Mark>> {
        let text = format!("start p1 by launcher: execve /a\n{stages}");
        marks(&parse(&text).unwrap().inside).remove(0).groups
    }

    #[test]
    fn a_mark_stands_before_the_step_that_follows() {
        let groups = marked(
            "stage=open                   pid=p1 : do_open_execat\n\
             perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
             stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n",
        );
        assert_eq!(groups[0][0].name, "open");
        assert_eq!(groups[1][0].seen, "syscalls:sys_exit_execve = 0");
    }

    #[test]
    fn comm_becomes_what_the_stage_saw() {
        let groups = marked("stage=comm                   pid=p1 : task:task_rename = ls\n");
        let turn = Turn {
            what: Identity::Comm,
            to: Some("ls".into()),
        };
        assert_eq!(groups[0][0].turns, Some(turn));
    }

    #[test]
    fn what_cannot_be_traced_is_said() {
        let text = "untraceable: no-return\n\nstart p1 by launcher: execve /a\n";
        let notes = notes(&parse(text).unwrap().inside);
        assert_eq!(notes, ["not traceable here: no-return"]);
    }
}
