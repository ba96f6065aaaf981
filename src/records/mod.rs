//! Records kept in directories, so that what was seen can be judged again without a VM.
//!
//! A record is one file, `DIRECTORY/<family>/<scenario>/<kernel>.json` (`native.json` for the
//! running kernel): shards of a run, whichever way it was split, can be copied into one directory or
//! read from several. [`read`] refuses what it cannot vouch for, with the file's name, and returns
//! the same list whatever directory a record was in: nothing of the machine or the time is in a
//! record. What they were made with stands beside them, in `provenance.json` ([`Provenance`]).

mod keep;
mod page;
mod provenance;
mod read;
mod soak;

pub use keep::keep;
pub use provenance::{Kernel, Machine, Package, Program, Provenance, note, prepare};
pub use read::read;
pub use soak::Soak;
