//! The text of the view, as snapshots have it. See `docs/stages.md`.

use std::fmt::{self, Write as _};

use super::{Inside, Point, StageMark};
use crate::trail::{Trail, UNSEEN};

/// One section a process, as in the trail's text: its start, its stages and steps in order, its
/// end. What this kernel does not have, and what it offers nothing to see of, stands before all of them.
#[must_use]
pub fn text(trail: &Trail, inside: &Inside) -> String {
    let mut text = String::new();
    for (head, names) in [
        ("absent", &inside.absent),
        ("untraceable", &inside.untraceable),
    ] {
        if !names.is_empty() {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(text, "{head}: {}", names.join(" "));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    if let Some(hang) = &trail.hang {
        let _ = writeln!(text, "hang: {hang}\n");
    }
    let mut shown: Vec<&str> = Vec::new();
    let started = |process: &str| trail.started.iter().find(|start| start.process == process);
    let first = inside.stages.iter().map(Point::process);
    // Whoever has no start stands where it comes in the list.
    let before = first
        .clone()
        .filter(|name| started(name).is_none() && !name.starts_with(UNSEEN));
    let own = trail.started.iter().map(|start| start.process.as_str());
    let after = first.filter(|name| name.starts_with(UNSEEN));
    for process in before.chain(own).chain(after) {
        if shown.contains(&process) {
            continue;
        }
        let gap = if shown.is_empty() { "" } else { "\n" };
        text += gap;
        shown.push(process);
        if let Some(start) = started(process) {
            let _ = writeln!(text, "{start}");
        }
        for point in inside
            .stages
            .iter()
            .filter(|point| point.process() == process)
        {
            let _ = match point {
                Point::Stage(mark) => writeln!(text, "{mark}"),
                Point::Step(step) => writeln!(text, "{step}"),
            };
        }
        for ended in trail.ended.iter().filter(|ended| ended.process == process) {
            let _ = writeln!(text, "end {process}: {}", ended.how);
        }
    }
    text
}

impl fmt::Display for StageMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StageMark {
            process,
            stage,
            symbol,
            detail,
        } = self;
        write!(f, "stage={stage:<22} pid={process} : {symbol}")?;
        match detail {
            Some(detail) => write!(f, " = {detail}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_start_comes_first_and_who_is_unseen_last() {
        let point = |process: &str| {
            Point::Stage(StageMark {
                process: process.to_owned(),
                stage: "comm".to_owned(),
                symbol: "f".to_owned(),
                detail: None,
            })
        };
        let trail = crate::trail::parse("start p1 by launcher\n\nstart p2 by p1\n").unwrap();
        let inside = Inside {
            stages: ["unseen1", "p2", "launcher", "p1"].map(point).to_vec(),
            ..Inside::default()
        };
        let text = text(&trail, &inside);
        let marks = text.lines().filter(|line| line.starts_with("stage="));
        let order: Vec<_> = marks
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(order, ["pid=launcher", "pid=p1", "pid=p2", "pid=unseen1"]);
    }
}
