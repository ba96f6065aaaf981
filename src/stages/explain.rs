//! The story in words, for a reader who does not know the kernel.
//!
//! Its sentences stand for what was observed, in its order.

use std::fmt::Write as _;

use super::claims::{CLAIMS, Held, changes, execs};
use super::table::{CALL, LOADER_RUNS, OPEN, PROGRAM_RUNS, REFUSED, RETURN};
use super::{Point, StageMark};
use super::{Story, Word};
use crate::trail::{Mask, Step};

/// Tells a story.
#[must_use]
pub fn explain(story: &Story) -> String {
    let mut text = String::new();
    let mut process = "";
    let mut exe = "";
    // The file that is to be executed, as far as it was seen.
    let mut file = "the file";
    let points = &story.inside.stages;
    for (at, point) in points.iter().enumerate() {
        if point.process() != process {
            process = point.process();
            exe = "";
            file = "the file";
            opening(story, process, &mut text);
        }
        match point {
            Point::Step(step) => {
                if step.exe != exe {
                    // Writing to a String cannot fail, here and below.
                    let _ = writeln!(
                        text,
                        "\n  Whoever looks now sees {process} as exe {}, comm {}.",
                        step.exe, step.comm
                    );
                    exe = &step.exe;
                }
                let _ = writeln!(text, "  - {}", wrap(&of_step(step)));
            }
            Point::Stage(mark) => {
                if mark.stage == CALL {
                    text.push('\n');
                }
                let next = asked_next(&points[at + 1..], process);
                if mark.stage == OPEN && !is_elf_interpreter(&points[..at]) {
                    file = next.unwrap_or(file);
                }
                let _ = writeln!(text, "  - {}", wrap(&of_mark(mark, file, next)));
            }
        }
        let last_of = |ended: &&crate::trail::Ended| ended.process == process;
        let is_last = story
            .inside
            .stages
            .iter()
            .rev()
            .find(|p| p.process() == process);
        if is_last.is_some_and(|last| std::ptr::eq(last, point))
            && let Some(ended) = story.trail.ended.iter().find(last_of)
        {
            let _ = writeln!(text, "\n  {process} ends: {}.", ended.how);
        }
    }
    if !story.inside.untraceable.is_empty() {
        let names = story.inside.untraceable.join(", ");
        let _ = writeln!(
            text,
            "\nNot to be seen on this kernel, though it may happen: {names}."
        );
    }
    if !story.inside.absent.is_empty() {
        let names = story.inside.absent.join(", ");
        let _ = writeln!(text, "\nThis kernel was built or booted without {names}.");
    }
    text + &moments(story) + &proofs(story)
}

fn opening(story: &Story, process: &str, text: &mut String) {
    let start = story
        .trail
        .started
        .iter()
        .find(|start| start.process == process);
    let gap = if text.is_empty() { "" } else { "\n" };
    let _ = match start {
        Some(start) => match (&start.call, &start.path) {
            (Some(call), Some(path)) => {
                writeln!(
                    text,
                    "{gap}{process} is started by {}, with {call} of {path}.",
                    start.by
                )
            }
            _ => writeln!(text, "{gap}{process} is started by {}.", start.by),
        },
        None => writeln!(text, "{gap}{process} was there before."),
    };
}

fn of_step(step: &Step) -> String {
    let what = match step.mask {
        Mask::EXECUTE => format!("asks whether {} may be executed", step.path),
        Mask::OPEN => format!("asks whether {} may be opened", step.path),
        _ => format!("asks about {} ({})", step.path, step.step),
    };
    let answer = match &step.denied {
        Some(errno) => format!("; the answer is no, {errno}"),
        None => String::new(),
    };
    let when = if step.before {
        "Before the call the"
    } else {
        "The"
    };
    format!("{when} kernel {what}{answer}. [{}]", step.step)
}

/// The file of the step that follows at once, in the same process: what the stage led to.
fn asked_next<'a>(points: &'a [Point], process: &str) -> Option<&'a str> {
    let own = points.iter().filter(|point| point.process() == process);
    let mut own = own.skip_while(|point| matches!(point, Point::Stage(mark) if mark.stage == OPEN));
    match own.next()? {
        Point::Step(step) if step.mask == Mask::EXECUTE => Some(&step.path),
        _ => None,
    }
}

/// Whether what is opened next is wanted by the handler of ELF programs.
fn is_elf_interpreter(before: &[Point]) -> bool {
    let stages = before.iter().rev().filter_map(|point| match point {
        Point::Stage(mark) => Some(mark.stage.as_str()),
        Point::Step(_) => None,
    });
    stages.take(2).eq(["open-interpreter", "try-elf"])
}

fn of_mark(mark: &StageMark, file: &str, next: Option<&str>) -> String {
    let detail = mark.detail.as_deref().unwrap_or_default();
    let says = match mark.stage.as_str() {
        CALL if mark.symbol == "kernel_execve" => {
            "The kernel itself calls execve, for a helper of its own.".to_owned()
        }
        CALL => {
            let call = mark
                .symbol
                .rsplit_once("sys_enter_")
                .map_or("execve", |(_, call)| call);
            format!("{} calls {call}.", mark.process)
        }
        OPEN => match next {
            Some(path) => format!("The kernel opens {path} in order to execute it."),
            None => "The kernel looks for the file; nobody is asked to execute it.".to_owned(),
        },
        "open-interpreter" => match next {
            Some(path) => format!("The kernel needs an interpreter: {path}."),
            None => "The kernel needs an interpreter.".to_owned(),
        },
        "try-misc" => format!("The kernel offers {file} to binfmt_misc."),
        "try-script" => format!("The kernel offers {file} to the handler of #! scripts."),
        "try-elf" => format!("The kernel offers {file} to the handler of ELF programs."),
        REFUSED => format!("The handler {} returns {detail}.", mark.symbol),
        "taken" => format!("The handler {} has done its work.", mark.symbol),
        RETURN if detail == "0" => "The kernel comes back from the call: it has worked.".to_owned(),
        RETURN => format!("The kernel comes back from the call: it has failed with {detail}."),
        LOADER_RUNS => format!("The first instruction of the ELF interpreter runs: {detail}."),
        PROGRAM_RUNS => format!("The first instruction of the program runs: {detail}."),
        "comm" => format!("The kernel changes comm to {detail}."),
        "untraceable" => format!("The first instruction cannot be seen: {detail}."),
        stage => match Word::find(stage) {
            Some(word) => format!("The kernel {}.", word.meaning),
            None => format!("The kernel passes {stage}."),
        },
    };
    format!("{says} [{}]", mark.symbol)
}

/// Where exe, comm, credentials and address space change, from both sides.
fn moments(story: &Story) -> String {
    let mut text = String::new();
    for exec in execs(&story.inside.stages) {
        let _ = writeln!(text, "\nWhat changes in {}, and when:", exec.process);
        for change in changes(&exec) {
            let none = || "(no step)".to_owned();
            let _ = writeln!(text, "  {}", change.what);
            let _ = writeln!(
                text,
                "    last before  {}",
                change.before.unwrap_or_else(none)
            );
            let _ = writeln!(text, "    changes at   {}", change.stage);
            let _ = writeln!(
                text,
                "    first after  {}",
                change.after.unwrap_or_else(none)
            );
        }
    }
    text
}

/// The five sentences of the story with the lines that prove each.
fn proofs(story: &Story) -> String {
    let mut text = String::new();
    for (number, claim) in (1..).zip(CLAIMS) {
        for (process, held) in claim.check(&story.inside.stages) {
            let _ = match &held {
                Held::Yes(_) => writeln!(text, "\n{number}. {process}: {}.", claim.says),
                Held::No => writeln!(text, "\n{number}. {process}: NOT so: {}.", claim.says),
            };
            if let Held::Yes(lines) = held {
                for line in lines {
                    let _ = writeln!(text, "     {line}");
                }
            }
        }
    }
    text
}

/// Breaks a sentence so that it fits a terminal.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut column = 4;
    for word in text.split(' ') {
        if column + word.len() > 96 && column > 4 {
            out += "\n    ";
            column = 4;
        } else if column > 4 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += word.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::{explain, wrap};

    fn told(text: &str) -> String {
        explain(&parse(text).unwrap())
    }

    #[test]
    fn a_story_names_the_real_paths() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a\n",
        );
        assert!(
            text.contains("p1 is started by launcher, with execve of /a."),
            "{text}"
        );
        assert!(text.contains("sees p1 as exe /x, comm x."), "{text}");
        assert!(text.contains("asks whether /a may be executed"), "{text}");
    }

    #[test]
    fn a_refusal_says_who_and_why() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             stage=refused                pid=p1 : load_script = ENOEXEC\n",
        );
        assert!(text.contains("load_script returns ENOEXEC."), "{text}");
    }

    #[test]
    fn what_is_opened_and_offered_is_named() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
             stage=open                   pid=p1 : do_open_execat\n\
             perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a\n\
             stage=try-elf                pid=p1 : load_elf_binary\n",
        );
        assert!(text.contains("p1 calls execve."), "{text}");
        assert!(
            text.contains("The kernel opens /a in order to execute it."),
            "{text}"
        );
        assert!(
            text.contains("offers /a to the handler of ELF programs."),
            "{text}"
        );
    }

    #[test]
    fn a_program_that_is_only_opened_is_none_to_execute() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             stage=open                   pid=p1 : do_open_execat\n\
             perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n",
        );
        assert!(
            text.contains("The kernel looks for the file; nobody is asked"),
            "{text}"
        );
    }

    #[test]
    fn the_elf_interpreter_is_not_what_the_next_handler_is_offered() {
        let execute = |path: &str| {
            format!(
                "stage=open                   pid=p1 : do_open_execat\n\
                 perm=execute pid=p1 ppid=launcher exe=/x comm=x : path={path}\n"
            )
        };
        let elf = "stage=try-elf                pid=p1 : load_elf_binary\n";
        let wants = "stage=open-interpreter       pid=p1 : open_exec\n";
        let text = told(&format!(
            "start p1 by launcher: execve /a\n{}{elf}{wants}{}{elf}",
            execute("/a"),
            execute("/ld")
        ));
        assert_eq!(
            text.matches("offers /a to the handler").count(),
            2,
            "{text}"
        );
    }

    #[test]
    fn a_call_is_the_kernels_or_a_process_own() {
        let text = told(
            "start p1 by kthreadd\n\
             stage=call                   pid=p1 : kernel_execve\n",
        );
        assert!(text.contains("The kernel itself calls execve"), "{text}");
        assert!(!text.contains("p1 calls"), "{text}");
    }

    #[test]
    fn what_was_not_seen_is_not_told() {
        let text = told(
            "start p1 by launcher: execve /a\n\
             stage=call                   pid=p1 : syscalls:sys_enter_execve\n\
             stage=return                 pid=p1 : syscalls:sys_exit_execve = ENOENT\n\
             end p1: errno ENOENT\n",
        );
        assert_eq!(
            text,
            "p1 is started by launcher, with execve of /a.\n\n  \
             - p1 calls execve. [syscalls:sys_enter_execve]\n  \
             - The kernel comes back from the call: it has failed with ENOENT. [syscalls:sys_exit_execve]\n\n  \
             p1 ends: errno ENOENT.\n"
        );
    }

    /// Everything that a story can have, and how it is told.
    #[test]
    fn every_kind_of_point_has_its_words() {
        let text = told(include_str!("story/sample.txt"));
        assert_eq!(
            text.trim_end(),
            include_str!("story/explained.txt").trim_end()
        );
    }

    #[test]
    fn a_sentence_is_broken_where_it_would_be_too_long() {
        let (word, longer) = ("x".repeat(46), "x".repeat(47));
        assert_eq!(wrap(&format!("{word} {word}")), format!("{word} {word}"));
        assert_eq!(
            wrap(&format!("{word} {longer}")),
            format!("{word}\n    {longer}")
        );
        assert_eq!(wrap(&"y".repeat(200)), "y".repeat(200));
    }
}
