//! What belongs to the architecture of the kernels under test: x86-64, the only one so far.

/// Its name in records.
pub const NAME: &str = "x86-64";
/// What Debian calls it.
pub const DEBIAN: &str = "amd64";
/// What uname(2) calls it.
pub const MACHINE: &str = "x86_64";
