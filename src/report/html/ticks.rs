//! The stages of a process as marks on its lane, and what they say kernel by kernel.

use serde::Serialize;
use similar::TextDiff;

use super::super::Finding;
use crate::trail::{Inside, Mark, Point};

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

/// One mark.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Tick {
    stage: String,
    /// Symbol and what more was seen.
    title: String,
    named: bool,
}

/// The marks in front of each step of a process, and behind the last one.
pub fn ticks(inside: &Inside, process: &str) -> Vec<Vec<Tick>> {
    let mut groups = vec![Vec::new()];
    for point in inside
        .stages
        .iter()
        .filter(|point| point.process() == process)
    {
        match (point, groups.last_mut()) {
            (Point::Stage(mark), Some(group)) => group.push(tick(mark)),
            _ => groups.push(Vec::new()),
        }
    }
    groups
}

fn tick(mark: &Mark) -> Tick {
    let detail = mark.detail.as_ref().map(|detail| format!(" = {detail}"));
    Tick {
        stage: mark.stage.clone(),
        title: format!(
            "{}: {}{}",
            mark.stage,
            mark.symbol,
            detail.unwrap_or_default()
        ),
        named: NAMED.contains(&mark.stage.as_str()),
    }
}

/// One order of stages with the kernels that show it.
#[derive(Debug, Serialize)]
pub struct Order {
    kernels: Vec<String>,
    /// The first one as a whole, the others as a difference from the one before.
    text: String,
}

/// The orders of a scenario's stages, in the order of the kernels.
pub fn orders(findings: &[&Finding]) -> Vec<Order> {
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    for finding in findings {
        let own = finding
            .of_stages()
            .filter(|own| !own.record.inside.stages.is_empty());
        let Some(own) = own else { continue };
        let (text, kernel) = (own.text(), finding.record.kernel.label().to_owned());
        match seen.iter_mut().find(|(known, _)| *known == text) {
            Some((_, kernels)) => kernels.push(kernel),
            None => seen.push((text, vec![kernel])),
        }
    }
    let mut before: Option<String> = None;
    let order = |(text, kernels): (String, Vec<String>)| {
        let shown = match &before {
            None => text.clone(),
            Some(before) => TextDiff::from_lines(before.as_str(), text.as_str())
                .unified_diff()
                .context_radius(1)
                .to_string(),
        };
        before = Some(text);
        Order {
            kernels,
            text: shown,
        }
    };
    seen.into_iter().map(order).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::parse;

    #[test]
    fn a_mark_stands_in_front_of_the_step_that_follows() {
        let text = "start p1 by launcher: execve /a\n\
                    stage=open                   pid=p1 : do_open_execat\n\
                    perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
                    stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n";
        let groups = ticks(&parse(text).unwrap().inside, "p1");
        assert_eq!(
            (groups[0][0].stage.as_str(), groups[0][0].named),
            ("open", false)
        );
        assert_eq!(groups[1][0].title, "return: syscalls:sys_exit_execve = 0");
    }
}
