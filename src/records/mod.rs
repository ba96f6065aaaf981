//! Records kept in directories, so that what was seen can be judged again without a VM.
//!
//! A record is one file, `FOLDER/<family>/<scenario>/<kernel>.json` (`native.json` for
//! the running kernel): shards of a run, whichever way
//! it was split, can be copied into one directory or read from several. [`read`] refuses what it
//! cannot vouch for, with the file's name, and returns the same list whatever directory a record
//! was in: nothing of the machine or the time is in a record.

mod keep;
mod read;

pub use keep::keep;
pub use read::read;
