//! What the kernel logs while a scenario runs.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, Result};
use nix::libc;

/// The kernel's log from a moment on (`/dev/kmsg`, Documentation/ABI/testing/dev-kmsg).
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// Reads from here on.
    ///
    /// # Errors
    ///
    /// There is no such device.
    pub fn from_now() -> Result<KernelLog> {
        let mut options = File::options();
        let options = options.read(true).custom_flags(libc::O_NONBLOCK);
        let mut file = options.open("/dev/kmsg").context("failed to open kmsg")?;
        file.seek(SeekFrom::End(0))
            .context("failed to go to the end of kmsg")?;
        Ok(KernelLog(file))
    }

    /// The lines since the last time that have this in them, each behind its level (include/linux/kern_levels.h), without
    /// the process's number.
    ///
    /// # Errors
    ///
    /// The log was written over before it was read.
    pub fn said(&mut self, what: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut record = [0; 8192];
        loop {
            let length = match self.0.read(&mut record) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(found),
                result => result.context("failed to read kmsg")?,
            };
            let text = String::from_utf8_lossy(&record[..length]);
            found.extend(line(&text).filter(|line| line.contains(what)));
        }
    }
}

/// `6,339,5140900,-;TEXT`, where the first number has the level in its lowest three bits, and the text may begin with
/// `coredump: PID(COMM): `.
fn line(record: &str) -> Option<String> {
    let (before, text) = record.lines().next()?.split_once(';')?;
    let level = before.split(',').next()?.parse::<u32>().ok()? & 7;
    let named = text.strip_prefix("coredump: ");
    let named = named.and_then(|rest| Some(rest.split_once("): ")?.1));
    let text = named.map_or_else(|| text.to_owned(), |rest| format!("coredump: {rest}"));
    Some(format!("level {level}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_record_is_its_level_and_its_text() {
        // Of the facility 1, that of user space.
        let record = "14,339,5140900,-;Core dump to |/a pipe failed\n SUBSYSTEM=x\n";
        let said = "level 6: Core dump to |/a pipe failed";
        assert_eq!(line(record).unwrap(), said);
    }

    #[test]
    fn the_number_of_a_process_is_left_out() {
        let record = "4,1,2,-;coredump: 77(a b): |/a pipe failed";
        assert_eq!(line(record).unwrap(), "level 4: coredump: |/a pipe failed");
    }
}
