//! The lines that `fapolicyd --debug` and small fanotify monitors print, with names for numbers.

use std::io::{self, Write};

use super::{Finding, Format};

/// The format.
#[derive(Debug)]
pub struct Fapolicyd;

impl Format for Fapolicyd {
    fn finding(&mut self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        let record = &finding.record;
        let reason = record
            .reason
            .as_ref()
            .map(|reason| format!(": {}", first_line(reason)));
        writeln!(
            out,
            "# {} on {} ({}): {}{}",
            record.scenario,
            record.kernel.label(),
            record.kernel.release,
            record.outcome,
            reason.unwrap_or_default()
        )?;
        for step in record.trail.every_step() {
            writeln!(
                out,
                "perm={} pid={} ppid={} exe={} : path={}",
                step.mask.name(),
                step.process,
                step.parent,
                step.exe,
                step.path
            )?;
        }
        out.flush()
    }

    fn end(&mut self, _: &[Finding], notes: &[String], out: &mut dyn Write) -> io::Result<()> {
        notes
            .iter()
            .try_for_each(|note| writeln!(out, "# note: {note}"))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
