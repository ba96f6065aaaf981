//! What somebody who watches has changed of what is watched: the trail with it, held against the one without.

use similar::{Algorithm, ChangeTag, DiffOp, TextDiff, capture_diff_slices};

use super::Report;
use crate::trail::Trail;

/// The report as it stands beside the trail without its observer, which is the one that everybody else knows:
/// with what differs, and each event behind the steps that both trails have before it.
#[must_use]
pub fn beside(report: &Report, without: &Trail, with: &Trail) -> Report {
    let mut report = report.clone();
    for event in &mut report.events {
        let places = places(without, with, &event.process);
        event.after = event
            .after
            .map(|after| places.get(after).copied().unwrap_or(after));
    }
    report.footprint = Some(lines(without, with));
    report
}

/// The lines that the trail has lost, after `- `, and those that it has won, after `+ `.
fn lines(without: &Trail, with: &Trail) -> Vec<String> {
    let (without, with) = (without.to_string(), with.to_string());
    let diff = TextDiff::from_lines(&without, &with);
    let changes = diff.iter_all_changes().filter_map(|change| {
        // What parts two sections says nothing.
        if change.value().trim().is_empty() {
            return None;
        }
        let sign = match change.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        Some(format!("{sign} {}", change.value().trim_end_matches('\n')))
    });
    changes.collect()
}

/// For each number of steps that a process has made with the observer: how many it has made by then without.
fn places(without: &Trail, with: &Trail, process: &str) -> Vec<usize> {
    let steps = |trail: &Trail| -> Vec<String> {
        let own = trail.steps.iter().filter(|step| step.process == process);
        own.map(ToString::to_string).collect()
    };
    let (without, with) = (steps(without), steps(with));
    let mut places = vec![0];
    for op in capture_diff_slices(Algorithm::Myers, &without, &with) {
        match op {
            DiffOp::Equal { old_index, len, .. } => {
                places.extend((1..=len).map(|step| old_index + step));
            }
            DiffOp::Insert {
                old_index, new_len, ..
            } => {
                places.extend(std::iter::repeat_n(old_index, new_len));
            }
            DiffOp::Delete { .. } => {}
            // Steps that are others stand for each other, as far as there are as many.
            DiffOp::Replace {
                old_index,
                old_len,
                new_len,
                ..
            } => {
                places.extend((1..=new_len).map(|step| old_index + step.min(old_len)));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse as parse_report;
    use crate::trail::parse;

    const STEP: &str = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=";

    fn trail(files: &[&str], end: &str) -> Trail {
        let mut text = "start p1 by launcher: execve /a\n".to_owned();
        for file in files {
            text += &format!("{STEP}{file}\n");
        }
        parse(&format!("{text}end p1: {end}\n")).unwrap()
    }

    fn after(number: usize, without: &[&str], with: &[&str]) -> Option<usize> {
        let text = format!("event=exec    pid=p1 after={number} : x\n");
        let report = parse_report(&text).unwrap();
        let report = beside(&report, &trail(without, "exit 0"), &trail(with, "exit 0"));
        report.events[0].after
    }

    #[test]
    fn lines_that_both_have_are_no_footprint() {
        let of = |end: &str| beside(&Report::default(), &trail(&[], "exit 0"), &trail(&[], end));
        assert_eq!(of("exit 0").footprint, Some(Vec::new()));
        let lines = ["- end p1: exit 0", "+ end p1: errno ENOSYS"];
        assert_eq!(of("errno ENOSYS").footprint.unwrap(), lines);
    }

    #[test]
    fn a_step_that_has_come_does_not_count() {
        assert_eq!(after(1, &["/a", "/b"], &["/a", "/new", "/b"]), Some(1));
        assert_eq!(after(2, &["/a", "/b"], &["/a", "/new", "/b"]), Some(1));
        assert_eq!(after(3, &["/a", "/b"], &["/a", "/new", "/b"]), Some(2));
    }

    #[test]
    fn a_step_that_is_gone_counts_with_the_next() {
        assert_eq!(after(1, &["/gone", "/b"], &["/b"]), Some(2));
    }

    #[test]
    fn a_report_with_a_footprint_is_read_as_it_was_written() {
        let text = "nothing\nfootprint:\n- a\n+ b\n";
        assert_eq!(crate::event::text(&parse_report(text).unwrap()), text);
        let text = "nothing\nfootprint: none\n";
        assert_eq!(crate::event::text(&parse_report(text).unwrap()), text);
    }
}
