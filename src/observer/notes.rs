//! What a hook writes down while a process is held, for the observer to read at the end.
//!
//! The hook runs in the process that holds the others; both have the same memory file, and its one
//! place of writing. Nothing of it is on a file system that is watched.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A list that two processes write, one after the other.
#[derive(Debug)]
pub struct Notes(File);

impl Notes {
    /// Makes an empty list.
    ///
    /// # Errors
    ///
    /// What memfd_create(2) says.
    pub fn new() -> Result<Notes> {
        let fd = memfd_create(c"exetrail-notes", MFdFlags::MFD_CLOEXEC);
        Ok(Notes(File::from(
            fd.context("failed to make a memory file")?,
        )))
    }

    /// The same list, for a hook.
    ///
    /// # Errors
    ///
    /// What fcntl(2) says.
    pub fn share(&self) -> Result<Notes> {
        let file = self.0.try_clone();
        Ok(Notes(file.context("failed to share a memory file")?))
    }

    /// Adds something.
    ///
    /// # Errors
    ///
    /// What write(2) says.
    pub fn add<T: Serialize>(&mut self, note: &T) -> Result<()> {
        let mut line = serde_json::to_vec(note).context("failed to write a note")?;
        line.push(b'\n');
        self.0.write_all(&line).context("failed to write a note")
    }

    /// Everything that was added, in order.
    ///
    /// # Errors
    ///
    /// What pread(2) says, or a note of another type.
    pub fn all<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let length = self.0.metadata().context("failed to read the notes")?.len();
        let mut bytes = vec![0; usize::try_from(length).context("too many notes")?];
        self.0
            .read_exact_at(&mut bytes, 0)
            .context("failed to read the notes")?;
        let lines = serde_json::Deserializer::from_slice(&bytes).into_iter();
        lines
            .collect::<serde_json::Result<_>>()
            .context("failed to read the notes")
    }
}

#[cfg(test)]
mod tests {
    use super::Notes;

    #[test]
    fn what_both_write_stands_in_the_order_of_writing() {
        let mut notes = Notes::new().unwrap();
        let mut shared = notes.share().unwrap();
        shared.add(&"a\nb").unwrap();
        notes.add(&"c").unwrap();
        assert_eq!(notes.all::<String>().unwrap(), ["a\nb", "c"]);
    }
}
