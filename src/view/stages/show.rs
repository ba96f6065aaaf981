//! Steps and stages on a terminal.

use std::io::{self, Write};

use crate::stages::{Point, Story};
use crate::view::Paint;

/// Steps and stages interleaved, one process after the other, with a rule where exe changes.
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
    let mut process = "";
    let mut exe: Option<&str> = None;
    for point in &inside.stages {
        if point.process() != process {
            (process, exe) = (point.process(), None);
            let start = trail.started.iter().find(|start| start.process == process);
            let start = start.map_or_else(|| process.to_owned(), ToString::to_string);
            writeln!(out, "    {}", paint.quiet.apply_to(start))?;
        }
        match point {
            Point::Step(step) => {
                if exe != Some(&step.exe) {
                    let what = format!("── exe {} (comm {}) ──", step.exe, step.comm);
                    writeln!(out, "      {}", paint.heading.apply_to(what))?;
                }
                exe = Some(&step.exe);
                let style = if step.exe_of_old(trail) {
                    &paint.old
                } else {
                    &paint.new
                };
                let before = if step.before { ", before the call" } else { "" };
                let what = format!("{:<8} {}{before}", step.step, step.path);
                writeln!(out, "      {}", style.apply_to(what))?;
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
