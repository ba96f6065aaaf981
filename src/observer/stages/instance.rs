//! The tracefs instance: made once a boot, emptied for each watch.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::filter;
use super::marker::Marker;
use super::symbols::{Symbols, symbols};
use crate::files;
use crate::observer::tracefs::{self, TRACING, append as write};
use crate::stages::{BRIEF, LASTING, Source};
use crate::trace::{Functions, Line};

/// The event of a function that is entered.
const FUNCTION: &str = "ftrace/function";
/// Group of our probes.
pub const GROUP: &str = "exetrail";
/// Kilobytes of the buffer of each CPU: a hundred times what a start needs.
const BUFFER: u32 = 1024;

/// How the reason begins when somebody else traces.
pub const BUSY: &str = "another tracer is active";

/// A set-up instance.
#[derive(Debug)]
pub struct Instance {
    own: tracefs::Instance,
    /// What this kernel offers of the vocabulary.
    there: Vec<Source>,
    /// The probes of first instructions whose formats are known.
    entries: BTreeSet<String>,
    /// Those that are traced.
    functions: Functions,
    /// How many hits had been missed when the watch began: the kernel counts them from its boot.
    missed: u64,
}

/// Whether tracefs is mounted and has the function tracer.
pub(super) fn has_function_tracer() -> bool {
    let tracers = fs::read_to_string(Path::new(TRACING).join("available_tracers"));
    tracers.is_ok_and(|tracers| {
        tracers
            .split_ascii_whitespace()
            .any(|name| name == "function")
    })
}

impl Instance {
    /// Makes the instance and sets all filters; nothing is traced yet.
    ///
    /// # Errors
    ///
    /// Another tracer is active (the reason begins with [`BUSY`]), or tracefs refuses something.
    pub fn make() -> Result<Instance> {
        refuse_busy()?;
        let mut instance = Instance {
            own: tracefs::Instance::make(GROUP, BUFFER)?,
            there: Vec::new(),
            entries: BTreeSet::new(),
            functions: Functions::default(),
            missed: 0,
        };
        instance.set_up()?;
        Ok(instance)
    }

    fn set_up(&mut self) -> Result<()> {
        let top = Path::new(TRACING);
        let functions: Vec<_> = Source::all().filter_map(Source::function).collect();
        let found = filter::choose(top, self.own.directory(), &functions)?;
        let symbols = symbols(&found)?;
        self.functions = symbols.functions.clone();
        self.own.learn(FUNCTION)?;
        for source in Source::all() {
            let there = match source {
                Source::Function(name) => found.contains(&name),
                other => self.offer(other, &symbols)?,
            };
            if there {
                self.there.push(source);
            }
        }
        self.own.enable("task/task_newtask")?;
        self.own.put("current_tracer", "function")
    }

    /// Asks for one source that is no function's entry; whether this kernel has it.
    fn offer(&mut self, source: Source, symbols: &Symbols) -> Result<bool> {
        match source {
            Source::Event(group, name) => {
                let path = format!("{group}/{name}");
                let there = self.own.has(&path);
                if there {
                    if let Some(filter) = source.filter() {
                        self.own.put(&format!("events/{path}/filter"), filter)?;
                    }
                    self.own.enable(&path)?;
                }
                Ok(there)
            }
            Source::With(function) => self.on_entry(function),
            Source::Return(function) => self.on_return(function, symbols),
            Source::Entry => Ok(Path::new(TRACING).join("uprobe_events").exists()),
            Source::Function(_) => Ok(false),
        }
    }

    /// Probes the entry of a function, with its second argument.
    fn on_entry(&mut self, function: &str) -> Result<bool> {
        let rule = format!("p:{GROUP}/a_{function} {function} second=%si:x64");
        let probes = Path::new(TRACING).join("kprobe_events");
        if write(&probes, &rule).is_err() {
            return Ok(false);
        }
        self.own.enable(&format!("{GROUP}/a_{function}"))?;
        Ok(true)
    }

    /// Probes the return of every function with this name: there are two ELF handlers, and a name
    /// that is not unique is no place. So they are named by their distance from the kernel's start.
    fn on_return(&mut self, function: &str, symbols: &Symbols) -> Result<bool> {
        let places = symbols.places(function);
        for (number, place) in (1..).zip(&places) {
            let name = match number {
                1 => format!("r_{function}"),
                _ => format!("r_{function}_{number}"),
            };
            let rule = format!("r:{GROUP}/{name} {place} ret=$retval:s32");
            let probes = Path::new(TRACING).join("kprobe_events");
            if write(&probes, &rule).is_err() {
                return Ok(false);
            }
            self.own.enable(&format!("{GROUP}/{name}"))?;
        }
        Ok(!places.is_empty())
    }

    /// What this kernel offers of the vocabulary.
    #[must_use]
    pub fn there(&self) -> &[Source] {
        &self.there
    }

    /// Empties the buffer and begins to trace; the marker is for the monitor.
    ///
    /// # Errors
    ///
    /// Another tracer is active (the reason begins with [`BUSY`]), or tracefs refuses something.
    pub fn begin(&mut self) -> Result<Marker> {
        refuse_busy()?;
        self.missed = missed()?;
        Ok(Marker {
            file: self.own.begin()?.into_file(),
            directory: self.own.directory().to_owned(),
            known: BTreeMap::new(),
        })
    }

    /// Ends tracing, takes the probes of programs away and reads what there is.
    ///
    /// # Errors
    ///
    /// Something was lost, or cannot be understood.
    pub fn end(&mut self) -> Result<Vec<Line>> {
        self.own.put("tracing_on", "0")?;
        // Whoever removes a probe empties the buffers: read first.
        let read = self.read();
        self.forget()?;
        read
    }

    fn read(&mut self) -> Result<Vec<Line>> {
        let pages = self.own.take()?;
        let missed = missed()?.saturating_sub(self.missed);
        if missed > 0 {
            bail!("{missed} entries or returns of the kernel's functions were missed");
        }
        for name in self.probes()? {
            let is_entry = [BRIEF, LASTING].iter().any(|begin| name.starts_with(begin));
            if is_entry && !self.entries.contains(&name) {
                self.own.learn(&format!("{GROUP}/{name}"))?;
                self.entries.insert(name);
            }
        }
        self.own.lines(&pages, &self.functions)
    }

    /// The names of our probes, and of what else is in their directory.
    fn probes(&self) -> Result<Vec<String>> {
        let all = files::list(&self.own.directory().join("events").join(GROUP))?;
        Ok(all.iter().map(|path| files::name(path)).collect())
    }

    /// Removes the probes of first instructions that do not last.
    fn forget(&mut self) -> Result<()> {
        for name in self.probes()? {
            if name.starts_with(BRIEF) {
                // Another one may have its number.
                self.entries.remove(&name);
                self.own
                    .put(&format!("events/{GROUP}/{name}/enable"), "0")?;
                let rule = format!("-:{GROUP}/{name}");
                write(&Path::new(TRACING).join("uprobe_events"), &rule)?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

/// What another tracer does to the order and the time of things is not ours to tell.
fn refuse_busy() -> Result<()> {
    match busy(&read(&Path::new(TRACING).join("current_tracer"))?) {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

/// Why the view is not to be had, when somebody else traces.
fn busy(current: &str) -> Option<String> {
    let current = current.trim();
    (current != "nop").then(|| format!("{BUSY}: {current}"))
}

/// How the names of our probes of functions begin: of entries and of returns.
const OURS: [&str; 2] = ["a_", "r_"];

/// How many hits our probes have missed since the boot.
fn missed() -> Result<u64> {
    Ok(missed_in(&read(
        &Path::new(TRACING).join("kprobe_profile"),
    )?))
}

/// The same in the kernel's words: `NAME HITS MISSED` a line.
fn missed_in(profile: &str) -> u64 {
    let own = profile.lines().filter(|line| {
        OURS.iter()
            .any(|begin| line.trim_start().starts_with(begin))
    });
    own.filter_map(|line| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tracer_is_named() {
        assert_eq!(busy("nop\n"), None);
        assert_eq!(
            busy("function_graph\n").unwrap(),
            "another tracer is active: function_graph"
        );
    }

    #[test]
    fn a_missed_return_counts() {
        assert_eq!(missed_in("  r_load_script    10    2\n  other  1  5\n"), 2);
    }
}
