//! An instance of tracefs: a buffer of its own, with one counter as its clock for all CPUs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::libc;

use super::{Held, OnHeld};
use crate::files;
use crate::need::{Host, Need};
use crate::trace::{Format, Formats, Functions, Line, MARKER, lines};

/// Where tracefs is mounted.
pub const TRACING: &str = "/sys/kernel/tracing";
/// The event of what is written to `trace_marker`.
pub const PRINT: &str = "ftrace/print";
/// Kilobytes of the buffer of each CPU that are enough for events alone.
pub const BUFFER: u32 = 512;
/// The largest page of a ring buffer: one of the machine's, where nobody has set another (`buffer_subbuf_size_kb`).
const PAGE: usize = 1 << 16;
/// The system calls have tracepoints.
pub const SYSCALLS: Need = Need {
    what: "the system calls' tracepoints (CONFIG_FTRACE_SYSCALLS)",
    host: Host::Config("CONFIG_FTRACE_SYSCALLS"),
    probe: |_| {
        let event = "events/syscalls/sys_enter_execve";
        Path::new(TRACING).join(event).exists()
    },
};
/// Functions can be probed at run time.
pub const PROBES: Need = Need {
    what: "probes of functions (CONFIG_KPROBE_EVENTS)",
    host: Host::Config("CONFIG_KPROBE_EVENTS"),
    probe: |_| Path::new(TRACING).join("kprobe_events").exists(),
};

/// An instance; it goes with the boot.
#[derive(Debug)]
pub struct Instance {
    directory: PathBuf,
    /// Of the events that are traced.
    formats: Formats,
    /// Nothing is in the buffer: what was read is gone.
    empty: bool,
}

impl Instance {
    /// Makes an instance of this name, with so many kilobytes for each CPU, in which nothing is traced yet.
    ///
    /// # Errors
    ///
    /// tracefs refuses something.
    pub fn make(name: &str, kilobytes: u32) -> Result<Instance> {
        let directory = Path::new(TRACING).join("instances").join(name);
        fs::create_dir(&directory).context("failed to make an instance of the tracer")?;
        let mut instance = Instance {
            directory,
            formats: Formats::new(),
            empty: false,
        };
        instance.learn(PRINT)?;
        instance.put("tracing_on", "0")?;
        instance.put("trace_clock", "counter")?;
        instance.put("buffer_size_kb", &kilobytes.to_string())?;
        Ok(instance)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
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
    pub fn enable(&mut self, event: &str) -> Result<()> {
        self.learn(event)?;
        self.put(&format!("events/{event}/enable"), "1")
    }

    /// Learns how an event is recorded.
    ///
    /// # Errors
    ///
    /// There is no such event, or its format is not understood.
    pub fn learn(&mut self, event: &str) -> Result<()> {
        let format = format(event)?;
        self.formats.insert(format.id, format);
        Ok(())
    }

    /// Writes to one of its files.
    ///
    /// # Errors
    ///
    /// tracefs refuses it.
    pub fn put(&self, name: &str, value: &str) -> Result<()> {
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
        let pages = self.take()?;
        self.lines(&pages, &Functions::default())
    }

    /// Takes the pages out of the buffers of all CPUs.
    ///
    /// # Errors
    ///
    /// Something was lost, or cannot be read.
    pub fn take(&mut self) -> Result<Vec<Vec<u8>>> {
        let lost = lost(&self.directory)?;
        if lost > 0 {
            bail!("{lost} lines of the kernel's trace were lost");
        }
        let pages = take(&self.directory)?;
        self.empty = true;
        Ok(pages)
    }

    /// The lines on these pages, with the names of these functions.
    ///
    /// # Errors
    ///
    /// They cannot be understood.
    pub fn lines(&self, pages: &[Vec<u8>], functions: &Functions) -> Result<Vec<Line>> {
        let pages = pages.iter().map(Vec::as_slice);
        lines(pages, &self.formats, functions)
            .map_err(|what| anyhow!("the kernel's trace is {what}"))
    }
}

/// The hook that lays the steps of the monitor into the trace.
#[derive(Debug)]
pub struct Marker(File);

impl Marker {
    /// The file `trace_marker`.
    #[must_use]
    pub fn into_file(self) -> File {
        self.0
    }
}

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
fn lost(directory: &Path) -> Result<u64> {
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

/// How an event is recorded: `GROUP/NAME`.
fn format(event: &str) -> Result<Format> {
    let path = Path::new(TRACING).join("events").join(event).join("format");
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("failed to read {}", path.display()))?;
    Format::parse(&text).with_context(|| format!("{} is not understood", path.display()))
}

/// Takes the pages out of the buffers of all CPUs.
fn take(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let mut pages = Vec::new();
    for cpu in files::list(&directory.join("per_cpu"))? {
        let path = cpu.join("trace_pipe_raw");
        let own = pages_of(&path);
        pages.extend(own.with_context(|| format!("failed to read {}", path.display()))?);
    }
    Ok(pages)
}

/// The pages of one CPU; each read(2) takes one out.
fn pages_of(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut options = File::options();
    let mut pipe = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let mut pages = Vec::new();
    let mut page = vec![0; PAGE];
    loop {
        match pipe.read(&mut page) {
            Ok(0) => return Ok(pages),
            Ok(length) => pages.push(page[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(pages),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
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
