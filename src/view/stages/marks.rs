//! The stages of a process as marks on its lane in the picture of the trail.

use crate::stages::{Inside, Mark as Stage, Point};
use crate::view::Mark;

/// Stages whose names are written out; the others are marks with a title.
const NAMED: [&str; 8] = [
    "refused",
    "begin-new-exec",
    "memory-map",
    "comm",
    "credentials",
    "return",
    "loader-runs",
    "program-runs",
];

/// The marks before each step of a process, and after the last one.
pub fn marks(inside: &Inside, process: &str) -> Vec<Vec<Mark>> {
    let mut groups = vec![Vec::new()];
    for point in inside
        .stages
        .iter()
        .filter(|point| point.process() == process)
    {
        match (point, groups.last_mut()) {
            (Point::Stage(stage), Some(group)) => group.push(mark(stage)),
            _ => groups.push(Vec::new()),
        }
    }
    groups
}

fn mark(mark: &Stage) -> Mark {
    let detail = mark.detail.as_ref().map(|detail| format!(" = {detail}"));
    Mark {
        name: mark.stage.clone(),
        title: format!(
            "{}: {}{}",
            mark.stage,
            mark.symbol,
            detail.unwrap_or_default()
        ),
        named: NAMED.contains(&mark.stage.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::parse;

    #[test]
    fn a_mark_stands_before_the_step_that_follows() {
        let text = "start p1 by launcher: execve /a\n\
                    stage=open                   pid=p1 : do_open_execat\n\
                    perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
                    stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n";
        let groups = marks(&parse(text).unwrap().inside, "p1");
        assert_eq!(
            (groups[0][0].name.as_str(), groups[0][0].named),
            ("open", false)
        );
        assert_eq!(groups[1][0].title, "return: syscalls:sys_exit_execve = 0");
    }
}
