//! One JSON record a line.

use std::io::{self, Write};

use super::{Finding, Format};

/// The format.
#[derive(Debug)]
pub struct Json;

impl Format for Json {
    fn finding(&mut self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &finding.record)?;
        writeln!(out)?;
        out.flush()
    }

    fn end(&mut self, _: &[Finding], notes: &[String], _: &mut dyn Write) -> io::Result<()> {
        let mut stderr = io::stderr();
        notes
            .iter()
            .try_for_each(|note| writeln!(stderr, "note: {note}"))
    }
}
