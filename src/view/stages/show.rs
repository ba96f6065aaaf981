//! Steps and stages on a terminal.

use std::io::{self, Write};

use crate::stages::{Point, Story};
use crate::trail::Step;
use crate::view::Paint;
use crate::view::trail::{changed, line};

/// Steps and stages interleaved, one process after the other, with a rule where exe, comm or parent change.
pub fn story(story: &Story, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let Story { trail, inside } = story;
    if !inside.untraceable.is_empty() {
        let what = format!("not traceable here: {}", inside.untraceable.join(", "));
        writeln!(out, "    {}", paint.quiet.apply_to(what))?;
    }
    if !inside.absent.is_empty() {
        let what = format!("not on this kernel: {}", inside.absent.join(", "));
        writeln!(out, "    {}", paint.quiet.apply_to(what))?;
    }
    if let Some(hang) = &trail.hang {
        let what = format!("hang: {hang}");
        writeln!(out, "    {}", paint.changed.apply_to(what))?;
    }
    let mut process = "";
    let mut parent: Option<&str> = None;
    let mut previous: Option<&Step> = None;
    for point in &inside.stages {
        if point.process() != process {
            (process, previous) = (point.process(), None);
            let start = trail.started.iter().find(|start| start.process == process);
            parent = start.map(|start| start.by.as_str());
            let start = start.map_or_else(|| process.to_owned(), ToString::to_string);
            writeln!(out, "    {}", paint.quiet.apply_to(start))?;
        }
        match point {
            Point::Step(step) => {
                if previous.is_none() {
                    let what = format!("── exe {} (comm {}) ──", step.exe, step.comm);
                    writeln!(out, "      {}", paint.heading.apply_to(what))?;
                }
                if let Some(what) = changed(step, previous, parent) {
                    writeln!(out, "      {}", paint.heading.apply_to(what))?;
                }
                (previous, parent) = (Some(step), Some(step.parent.as_str()));
                line(step, trail, paint, out)?;
            }
            Point::Stage(mark) => {
                let detail = mark.detail.as_ref().map(|detail| format!(" = {detail}"));
                let detail = detail.unwrap_or_default();
                let symbol = paint.quiet.apply_to(format!("{}{detail}", mark.symbol));
                writeln!(out, "        {:<22} {symbol}", mark.stage)?;
            }
        }
    }
    for ended in &trail.ended {
        let what = format!("end {}: {}", ended.process, ended.how);
        writeln!(out, "    {}", paint.quiet.apply_to(what))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::parse;
    use crate::view::Colour;

    #[test]
    fn what_is_known_of_a_step_is_shown() {
        let step = "deny=EPERM perm=open    pid=p1 ppid=launcher exe=/x comm=x thread=y : path=/a";
        let text = format!("hang: x\n\nstart p1 by launcher\n{step}\nlater p1: z\n");
        let mut out = Vec::new();
        story(&parse(&text).unwrap(), &Paint::new(Colour::No), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        for part in [
            "hang: x",
            "denied with EPERM",
            "by the thread y",
            "answered late: z",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
    }
}
