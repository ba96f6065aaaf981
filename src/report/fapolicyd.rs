//! Lines in the form of those that `fapolicyd --debug` prints, with names for numbers.

use std::io::{self, Write};

use super::{Format, Row, Said};
use crate::trail::Trail;
use crate::view::{Record, TRAIL};

/// The format.
#[derive(Debug)]
pub struct Fapolicyd;

impl Format for Fapolicyd {
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let Some(seen) = record.of(TRAIL) else {
            return Ok(());
        };
        let reason = seen.reason.as_ref();
        let reason = reason.map(|reason| format!(": {}", first_line(reason)));
        writeln!(
            out,
            "# {} on {} ({}): {}{}",
            record.scenario,
            record.kernel.label(),
            record.kernel.release,
            seen.outcome,
            reason.unwrap_or_default()
        )?;
        for step in record.trail().into_iter().flat_map(Trail::every_step) {
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

    fn end(&mut self, _: &[Row<'_>], said: &Said, out: &mut dyn Write) -> io::Result<()> {
        said.notes
            .iter()
            .try_for_each(|note| writeln!(out, "# note: {note}"))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
