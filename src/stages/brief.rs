//! The story in a few lines: who asks for what under which name, and where the names change.
//!
//! Of the stages only landmarks are shown.
//! A process that passes the same stages as one before it is told in a line.

use std::fmt::Write as _;

use super::table::{CALL, LOADER_RUNS, OPEN, PROGRAM_RUNS, REFUSED, RETURN};
use super::{Point, StageMark, Story, Word};
use crate::trail::{Ended, Started};

/// Tells a story in short.
#[must_use]
pub fn brief(story: &Story) -> String {
    let mut text = String::new();
    let mut known: Vec<(&str, Vec<&str>)> = Vec::new();
    let points = &story.inside.stages;
    for own in points.chunk_by(|a, b| a.process() == b.process()) {
        let Some(process) = own.first().map(Point::process) else {
            continue;
        };
        let stages: Vec<_> = own.iter().filter_map(stage).map(|m| &*m.stage).collect();
        let same = known.iter().find(|(_, other)| *other == stages);
        // Writing to a String cannot fail, here and below.
        let _ = write!(text, "{}", opening(story, process));
        match same {
            Some((other, _)) if !stages.is_empty() => {
                let _ = writeln!(text, ": as {other}, stage by stage{}", names(own));
            }
            _ => {
                text.push('\n');
                tell(own, &mut text);
            }
        }
        if let Some(Ended { how, .. }) = story.trail.ended.iter().find(|e| e.process == process) {
            let _ = writeln!(text, "  ends: {how}");
        }
        known.push((process, stages));
    }
    if !story.inside.untraceable.is_empty() {
        let names = story.inside.untraceable.join(", ");
        let _ = writeln!(text, "not traceable on this kernel: {names}");
    }
    if !story.inside.absent.is_empty() {
        let names = story.inside.absent.join(", ");
        let _ = writeln!(text, "not on this kernel: {names}");
    }
    text
}

fn stage(point: &Point) -> Option<&StageMark> {
    match point {
        Point::Stage(mark) => Some(mark),
        Point::Step(_) => None,
    }
}

fn opening(story: &Story, process: &str) -> String {
    let started = story.trail.started.iter().find(|s| s.process == process);
    match started {
        Some(Started {
            by,
            call: Some(call),
            path: Some(path),
            ..
        }) => format!("{process}, started by {by}: {call} {path}"),
        Some(started) => format!("{process}, started by {}", started.by),
        None => process.to_owned(),
    }
}

/// Under which names it was seen, one after the other.
fn names(own: &[Point]) -> String {
    let mut names: Vec<&str> = own
        .iter()
        .filter_map(|point| match point {
            Point::Step(step) => Some(step.exe.as_str()),
            Point::Stage(_) => None,
        })
        .collect();
    names.dedup();
    match names.as_slice() {
        [] => String::new(),
        names => format!("; exe is {}", names.join(", then ")),
    }
}

fn tell(own: &[Point], text: &mut String) {
    let mut exe = None;
    for (at, point) in own.iter().enumerate() {
        match point {
            Point::Step(step) => {
                if exe != Some((&step.exe, &step.comm)) {
                    let _ = writeln!(text, "  as {} (comm {})", step.exe, step.comm);
                    exe = Some((&step.exe, &step.comm));
                }
                let denied = step.denied.as_ref();
                let denied = denied.map(|errno| format!(": denied, {errno}"));
                let _ = writeln!(
                    text,
                    "    {:<8} {}{}{}",
                    step.step,
                    step.path,
                    denied.unwrap_or_default(),
                    if step.before { ", before the call" } else { "" }
                );
            }
            Point::Stage(mark) => {
                if let Some(says) = landmark(mark, &own[..at], &own[at + 1..]) {
                    let _ = writeln!(text, "    -- {says} [{}]", mark.symbol);
                }
            }
        }
    }
}

/// What is said of a stage; nothing for those that a reader in a hurry does not miss.
fn landmark(mark: &StageMark, before: &[Point], after: &[Point]) -> Option<String> {
    let detail = mark.detail.as_deref().unwrap_or_default();
    Some(match mark.stage.as_str() {
        "no-return" => "the point of no return".to_owned(),
        // Where nothing shows it: `begin_new_exec` sets the flag right after this.
        "credentials-from-file"
            if ahead(after)
                .next()
                .is_some_and(|_| ahead(after).all(|m| m.stage != "no-return")) =>
        {
            "the point of no return comes right after this".to_owned()
        }
        "memory-map" => "the exe link changes, with the address space".to_owned(),
        "comm" => format!("comm is now {detail}"),
        "credentials" => "the credentials change".to_owned(),
        "reported" => "the exec is reported by its tracepoint".to_owned(),
        "connector" => "the exec is reported by the process connector".to_owned(),
        "threads-killed" => "the other threads are killed".to_owned(),
        RETURN if detail == "0" => "the call has succeeded".to_owned(),
        RETURN => format!("the call fails with {detail}{}", last(before)),
        LOADER_RUNS => "the ELF interpreter's first instruction".to_owned(),
        PROGRAM_RUNS => "the program's first instruction".to_owned(),
        "untraceable" => format!("the first instruction cannot be seen: {detail}"),
        _ => return None,
    })
}

/// What comes before the call returns.
fn ahead(after: &[Point]) -> impl Iterator<Item = &StageMark> {
    let ahead = after.iter().filter_map(stage);
    ahead.take_while(|mark| mark.stage != CALL && mark.stage != RETURN)
}

/// The last thing that the kernel did for a call that fails.
fn last(before: &[Point]) -> String {
    let Some(mark) = before.iter().rev().find_map(stage) else {
        return String::new();
    };
    match (mark.stage.as_str(), Word::find(&mark.stage)) {
        (REFUSED, _) => format!(", as {} says", mark.symbol),
        (CALL, _) | (_, None) => String::new(),
        // It is seen when it begins, and most often it is what fails.
        (OPEN, _) => ", where the kernel opens a file in order to execute it".to_owned(),
        (_, Some(word)) => format!(", after the kernel {}", word.meaning),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::brief;

    fn told(text: &str) -> String {
        brief(&parse(text).unwrap())
    }

    const EXEC: &str = "stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
                        stage=memory-map             pid=p1 : membarrier_exec_mmap\n\
                        stage=comm                   pid=p1 : task:task_rename = a\n\
                        stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n";

    #[test]
    fn a_change_of_name_stands_where_it_happens() {
        let text = told(&format!(
            "start p1 by launcher: execve /a\n{EXEC}end p1: exit 0\n"
        ));
        let exe = text.find("the exe link changes").unwrap();
        assert!(exe < text.find("comm is now a").unwrap(), "{text}");
    }

    #[test]
    fn a_call_that_returns_zero_has_succeeded() {
        let text = told(&format!(
            "start p1 by launcher: execve /a\n{EXEC}end p1: exit 0\n"
        ));
        assert!(text.contains("the call has succeeded"), "{text}");
        assert!(!text.contains("fails"), "{text}");
    }

    #[test]
    fn a_stage_that_names_nobody_is_left_out() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             stage=stack                  pid=p1 : setup_arg_pages\n\
             end p1: exit 0\n",
        );
        assert!(!text.contains("setup_arg_pages"), "{text}");
    }

    #[test]
    fn a_second_process_of_the_same_stages_is_a_line() {
        let second = EXEC.replace("p1", "p2");
        let text = told(&format!(
            "start p1 by launcher: execve /a\n{EXEC}end p1: exit 0\n\n\
             start p2 by p1\n{second}end p2: exit 0\n"
        ));
        assert!(
            text.contains("p2, started by p1: as p1, stage by stage"),
            "{text}"
        );
        assert_eq!(text.matches("the exe link changes").count(), 1, "{text}");
    }

    #[test]
    fn a_call_that_fails_says_after_what() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
             stage=refused                pid=p1 : load_elf_binary = ENOEXEC\n\
             stage=return                 pid=p1 : syscalls:sys_exit_execve = ENOEXEC\n\
             end p1: errno ENOEXEC\n",
        );
        assert!(
            text.contains("the call fails with ENOEXEC, as load_elf_binary says"),
            "{text}"
        );
    }

    /// Everything that a story can have, and how it is told.
    #[test]
    fn every_kind_of_point_has_its_words() {
        let text = told(include_str!("story/sample.txt"));
        assert_eq!(text.trim_end(), include_str!("story/brief.txt").trim_end());
    }

    /// A start with these stages of p1, told.
    fn stages(names: &[&str]) -> String {
        let lines = names
            .iter()
            .map(|name| format!("stage={name:<22} pid=p1 : f = 0\n"));
        told(&format!(
            "start p1 by launcher: execve /a\n{}",
            lines.collect::<String>()
        ))
    }

    #[test]
    fn the_point_of_no_return_is_told_once() {
        let seen = stages(&["credentials-from-file", "no-return", "return"]);
        assert!(seen.contains("-- the point of no return [f]"), "{seen}");
        assert!(!seen.contains("right after"), "{seen}");
        let next = stages(&["credentials-from-file", "return", "no-return"]);
        assert!(!next.contains("right after"), "{next}");
        let unseen = stages(&["credentials-from-file", "stack", "call", "no-return"]);
        assert!(unseen.contains("right after this"), "{unseen}");
        let end = stages(&["credentials-from-file"]);
        assert!(!end.contains("right after"), "{end}");
    }

    #[test]
    fn a_call_that_fails_after_nothing_says_no_more() {
        let fails = |before: &str| {
            told(&format!(
                "start p1 by launcher: execve /a\n{before}\
                 stage=return                 pid=p1 : f = ENOENT\n"
            ))
        };
        let call = "stage=call                   pid=p1 : syscalls:sys_enter_execve\n";
        let nonsense = "stage=nonsense               pid=p1 : g\n";
        for before in ["", call, nonsense] {
            let text = fails(before);
            assert!(text.contains("the call fails with ENOENT [f]"), "{text}");
        }
    }

    #[test]
    fn processes_without_stages_are_not_alike() {
        let step = |process: &str| {
            format!("perm=open    pid={process} ppid=x exe=/{process} comm=c : path=/f\n")
        };
        let text = told(&format!(
            "start p1 by launcher: execve /a\n{}\nstart p2 by p1\n{}",
            step("p1"),
            step("p2")
        ));
        assert!(!text.contains("stage by stage"), "{text}");
        assert!(text.contains("as /p2 (comm c)"), "{text}");
    }
}
