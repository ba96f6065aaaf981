//! An instance of tracefs: a buffer of its own, with one counter as its clock for all CPUs.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::libc;

use super::{Held, OnHeld};
use crate::files;
use crate::stages::{Line, MARKER, lines};

/// Where tracefs is mounted.
pub const TRACING: &str = "/sys/kernel/tracing";
/// Kilobytes of the buffer of each CPU.
const BUFFER: &str = "512";

/// An instance; it goes with the boot.
#[derive(Debug)]
pub struct Instance {
    directory: PathBuf,
    /// Nothing is in the buffer: what was read is gone.
    empty: bool,
}

impl Instance {
    /// Makes an instance of this name, in which nothing is traced yet.
    ///
    /// # Errors
    ///
    /// tracefs refuses something.
    pub fn make(name: &str) -> Result<Instance> {
        let directory = Path::new(TRACING).join("instances").join(name);
        fs::create_dir(&directory).context("failed to make an instance of the tracer")?;
        let instance = Instance {
            directory,
            empty: false,
        };
        instance.put("tracing_on", "0")?;
        instance.put("trace_clock", "counter")?;
        instance.put("buffer_size_kb", BUFFER)?;
        Ok(instance)
    }

    /// Whether this kernel has an event: `GROUP/NAME`.
    #[must_use]
    pub fn has(&self, event: &str) -> bool {
        self.directory.join("events").join(event).exists()
    }

    /// Whether this kernel has an event of that name in any group.
    #[must_use]
    pub fn has_anywhere(&self, name: &str) -> bool {
        let groups = files::list(&self.directory.join("events")).unwrap_or_default();
        groups.iter().any(|group| group.join(name).exists())
    }

    /// Traces an event.
    ///
    /// # Errors
    ///
    /// tracefs refuses it.
    pub fn enable(&self, event: &str) -> Result<()> {
        self.put(&format!("events/{event}/enable"), "1")
    }

    fn put(&self, name: &str, value: &str) -> Result<()> {
        append(&self.directory.join(name), value)
    }

    /// Empties the buffer and begins to trace; the marker is for the monitor.
    ///
    /// # Errors
    ///
    /// tracefs refuses something.
    pub fn begin(&mut self) -> Result<Marker> {
        if !std::mem::take(&mut self.empty) {
            // Opened with O_TRUNC, the trace is emptied.
            let path = self.directory.join("trace");
            fs::write(&path, "").context("failed to empty the trace")?;
        }
        let marker = self.directory.join("trace_marker");
        let file = OpenOptions::new().write(true).open(marker);
        self.put("tracing_on", "1")?;
        Ok(Marker(file.context("failed to open trace_marker")?))
    }

    /// Ends tracing and takes out what there is.
    ///
    /// # Errors
    ///
    /// Something was lost, or cannot be understood.
    pub fn end(&mut self) -> Result<Vec<Line>> {
        self.put("tracing_on", "0")?;
        let lost = lost(&self.directory)?;
        if lost > 0 {
            bail!("{lost} lines of the kernel's trace were lost");
        }
        let text = take(&self.directory).context("failed to read the trace")?;
        self.empty = true;
        lines(&text).map_err(|what| anyhow!("the kernel's trace is {what}"))
    }
}

/// The hook that lays the steps of the monitor into the trace.
#[derive(Debug)]
pub struct Marker(File);

impl OnHeld for Marker {
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        let text = format!("{MARKER}step {}", event.number);
        // One write is one event.
        let written = self.0.write(text.as_bytes());
        written.map(drop).context("failed to write to trace_marker")
    }
}

/// Appends to a file of tracefs; opened with O_TRUNC, a list of probes would be emptied.
///
/// # Errors
///
/// What open(2) or write(2) say.
pub fn append(path: &Path, text: &str) -> Result<()> {
    let context = || format!("failed to write {text:?} to {}", path.display());
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)
}

/// How many lines the buffers of an instance have lost.
///
/// # Errors
///
/// They do not say.
pub fn lost(directory: &Path) -> Result<u64> {
    let mut all = 0;
    for cpu in files::list(&directory.join("per_cpu"))? {
        let path = cpu.join("stats");
        let stats = fs::read_to_string(&path);
        let stats = stats.with_context(|| format!("failed to read {}", path.display()))?;
        all += lost_of(&stats);
    }
    Ok(all)
}

/// How many lines the buffer of a CPU has lost.
fn lost_of(stats: &str) -> u64 {
    let number = |key: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|number| number.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    number("overrun:") + number("commit overrun:") + number("dropped events:")
}

/// Takes the text out of the buffer, which the kernel does faster than to empty it.
///
/// # Errors
///
/// What read(2) says.
pub fn take(directory: &Path) -> std::io::Result<Vec<u8>> {
    let mut options = File::options();
    let options = options.read(true).custom_flags(libc::O_NONBLOCK);
    let mut pipe = options.open(directory.join("trace_pipe"))?;
    let mut text = Vec::new();
    match pipe.read_to_end(&mut text) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(text),
        result => result.map(|_| text),
    }
}

#[cfg(test)]
mod tests {
    use super::lost_of;

    #[test]
    fn every_way_to_lose_a_line_counts() {
        let text = "entries: 66\noverrun: 1\ncommit overrun: 2\nbytes: 9\ndropped events: 4\n";
        assert_eq!(lost_of(text), 7);
    }
}
