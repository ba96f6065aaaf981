//! Which mutant is on. The tool in `mutants/` puts this file into its copy of the sources.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

enum Switch {
    Off,
    One(usize),
    /// The ids that are asked for go into a file, each once.
    Trace(File, Vec<AtomicBool>),
}

static SWITCH: LazyLock<Switch> = LazyLock::new(|| {
    if let Some(id) = std::env::var("EXETRAIL_MUTANT").ok().and_then(|id| id.parse().ok()) {
        return Switch::One(id);
    }
    let Ok(path) = std::env::var("EXETRAIL_MUTANTS_REACHED") else {
        return Switch::Off;
    };
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(file) => Switch::Trace(file, (0..100_000).map(|_| AtomicBool::new(false)).collect()),
        Err(_) => Switch::Off,
    }
});

/// Whether the code here is to be another.
#[inline(never)]
pub fn on(id: usize) -> bool {
    match &*SWITCH {
        Switch::Off => false,
        Switch::One(one) => *one == id,
        Switch::Trace(file, seen) => {
            if seen.get(id).is_some_and(|seen| !seen.swap(true, Ordering::Relaxed)) {
                let mut file = file;
                drop(file.write_all(format!("{id}\n").as_bytes()));
            }
            false
        }
    }
}
