//! One JSON record a line.

use std::io::{self, Write};

use super::{Format, Row, Said};
use crate::view::Record;

/// The format.
#[derive(Debug)]
pub struct Json;

impl Format for Json {
    fn record(&mut self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, record)?;
        writeln!(out)?;
        out.flush()
    }

    fn end(&mut self, _: &[Row<'_>], said: &Said, _: &mut dyn Write) -> io::Result<()> {
        // Beside the records: what cannot be said there makes them no worse.
        for note in &said.notes {
            tell!("note: {note}");
        }
        Ok(())
    }
}
