//! What the cases of several kinds are made of.

use crate::case::Made;

/// Directory of the libraries of the fixture.
pub const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";
/// The path of musl's loader.
pub const MUSL: &str = "/lib/ld-musl-x86_64.so.1";

/// A file at this path, with what `change` says it is.
pub fn made(path: &str, change: impl FnOnce(&mut Made)) -> Made {
    let mut made = Made {
        path: path.to_owned(),
        ..Made::default()
    };
    change(&mut made);
    made
}
