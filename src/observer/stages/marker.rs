//! The word in the kernel's trace that says which step the monitor holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::entry::{self, Sight};
use crate::observer::{Held, OnHeld};
use crate::trace::MARKER;
use crate::trail::Mask;

/// The hook that the monitor calls: the instance's `trace_marker`, opened beforehand.
#[derive(Debug)]
pub struct Marker {
    pub(super) file: File,
    /// The instance's directory.
    pub(super) directory: PathBuf,
    /// Files whose first instruction was looked for since the watch began; of those in which it is not seen, why.
    pub(super) known: BTreeMap<entry::Id, Option<&'static str>>,
}

impl OnHeld for Marker {
    /// Writes down that the step with this number happens now; the process is still held.
    ///
    /// The first instruction of the file that it opens is watched from now on: the event's
    /// descriptor leads to the very file, whatever its path, and asks nobody.
    ///
    /// # Errors
    ///
    /// The trace cannot be written: a story without its steps is none.
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        let Held {
            number, mask, file, ..
        } = event;
        self.write(&format!("step {number}"))?;
        match entry::watch(self, file)? {
            Sight::Clear(id) => self.write(&format!("entry {number} {id}")),
            Sight::Nothing => Ok(()),
            // A library's first instruction is nothing that anybody waits for.
            Sight::Blind(_) if mask != Mask::EXECUTE => Ok(()),
            Sight::Blind(why) => self.write(&format!("blind {number} {why}")),
        }
    }
}

impl Marker {
    fn write(&mut self, what: &str) -> Result<()> {
        let text = format!("{MARKER}{what}");
        // One write is one event.
        let written = self.file.write(text.as_bytes());
        written.map(drop).context("failed to write to trace_marker")
    }
}
