//! Reads the view's text back, as strictly as the trail's.

use serde::{Deserialize, Serialize};

use super::{Inside, Point, StageMark};
use crate::trail::{self, ParseError, Trail};

/// A story as a snapshot or a record tells it: starts and ends, and everything between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Story {
    /// Starts, steps and ends.
    pub trail: Trail,
    /// Steps and stages in order.
    pub inside: Inside,
}

/// Reads what [`super::text`] wrote.
///
/// # Errors
///
/// The first line that is not of the view's form, or that stands in the wrong place.
pub fn parse(text: &str) -> Result<Story, ParseError> {
    let mut inside = Inside::default();
    let mut rest = String::new();
    // The line of each stage, and the process whose section it stands in.
    let mut marks: Vec<(usize, StageMark)> = Vec::new();
    let mut section: Option<&str> = None;
    for (number, line) in text.split('\n').enumerate() {
        let fail = |what| ParseError {
            line: number + 1,
            what,
            text: line.to_owned(),
        };
        if !line.chars().all(trail::is_visible) {
            return Err(fail("a character that nobody sees"));
        }
        if let Some(start) = line.strip_prefix("start ") {
            section = start.split(' ').next();
        }
        if line.is_empty() {
            section = None;
        }
        if let Some(names) = line.strip_prefix("absent: ") {
            if number != 0 {
                return Err(fail("what is absent stands in the first line"));
            }
            inside.absent = names.split(' ').map(str::to_owned).collect();
        } else if let Some(names) = line.strip_prefix("untraceable: ") {
            if number != usize::from(!inside.absent.is_empty()) {
                return Err(fail("what is untraceable stands at the top"));
            }
            inside.untraceable = names.split(' ').map(str::to_owned).collect();
        } else if line.starts_with("stage=") {
            let mark = mark(line).ok_or_else(|| fail("no stage"))?;
            if section.is_some_and(|section| section != mark.process) {
                return Err(fail("a stage of another process than its section's"));
            }
            marks.push((number, mark));
        } else {
            rest += line;
        }
        // A line that was taken leaves an empty one, so that the others keep their numbers.
        rest.push('\n');
    }
    let trail = trail::parse(&rest).or_else(|error| match marks.is_empty() {
        // A kernel's helper may pass stages and make no step at all.
        false if error.what == "the trail is empty" => Ok(Trail::default()),
        _ => Err(error),
    })?;
    let mut steps = trail.steps.iter();
    let mut marks = marks.into_iter().peekable();
    for (number, line) in rest.lines().enumerate() {
        if let Some((_, mark)) = marks.next_if(|(at, _)| *at == number) {
            inside.stages.push(Point::Stage(mark));
        } else if trail::is_step(line) {
            inside.stages.extend(steps.next().cloned().map(Point::Step));
        }
    }
    Ok(Story { trail, inside })
}

fn mark(line: &str) -> Option<StageMark> {
    let (stage, rest) = line.strip_prefix("stage=")?.split_once(" pid=")?;
    let (process, rest) = rest.split_once(" : ")?;
    let (symbol, detail) = match rest.split_once(" = ") {
        Some((symbol, detail)) => (symbol, Some(detail.to_owned())),
        None => (rest, None),
    };
    let word = |text: &str| {
        let text = text.trim_end();
        (!text.is_empty() && !text.contains(' ')).then(|| text.to_owned())
    };
    Some(StageMark {
        process: word(process)?,
        stage: word(stage)?,
        symbol: word(symbol)?,
        detail,
    })
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::parse;

    const TEXT: &str = "\
untraceable: no-return namespaces

start p1 by launcher: execve /a
stage=call                   pid=p1 : syscalls:sys_enter_execve
perm=execute pid=p1 ppid=launcher exe=/x comm=x : path=/a
stage=comm                   pid=p1 : task:task_rename = a = b
end p1: exit 0

start p2 by p1
stage=return                 pid=p2 : syscalls:sys_exit_execve = ENOENT
";

    #[test]
    fn a_story_reads_back_as_it_was_written() {
        let story = parse(TEXT).unwrap();
        assert_eq!(text(&story.trail, &story.inside), TEXT);
        assert_eq!(story.inside.stages.len(), 4);
    }

    #[test]
    fn a_stage_in_a_foreign_section_is_refused() {
        let error = parse(&TEXT.replace("pid=p2", "pid=p1")).unwrap_err();
        assert_eq!(error.line, 10);
    }

    #[test]
    fn a_cut_stage_is_refused_with_its_number() {
        let error = parse(&TEXT.replace("call                   pid", "call")).unwrap_err();
        assert_eq!((error.line, error.what), (4, "no stage"));
    }

    #[test]
    fn a_character_that_nobody_sees_is_refused_in_every_line() {
        for (number, _) in TEXT.match_indices('\n') {
            let text = format!("{}\r{}", &TEXT[..number], &TEXT[number..]);
            let error = parse(&text).unwrap_err();
            assert_eq!(error.what, "a character that nobody sees");
        }
    }

    #[test]
    fn a_damaged_step_is_refused_with_its_number() {
        assert_eq!(
            parse(&TEXT.replace("perm=execute", "perm=exec"))
                .unwrap_err()
                .line,
            5
        );
    }
}
