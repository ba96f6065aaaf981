//! Where our own files are in a guest, and which build they are of.

/// The directory, on a mount that nobody watches.
pub const HOME: &str = "/exetrail";
/// PID 1, and so the exe and comm of what executes the scenarios' programs.
pub const LAUNCHER: &str = "/exetrail/launcher";
/// Where the files of a user's suite are that a case copies.
pub const FILES: &str = "/usr/share/exetrail";
/// The program that scenarios copy (`crate::subject`).
pub const SUBJECT: &str = "/exetrail/subject";

/// What this build begins to say of itself, wherever it lies in a program.
pub const MARKER: &str = "exetrail-build-";
/// The build, by a hash of the sources that `build.rs` makes: 16 hexadecimal digits.
pub const BUILD: &str = env!("EXETRAIL_BUILD");
/// Marker and build, as they lie in the launcher for the command to find.
pub static IDENTITY: &str = concat!("exetrail-build-", env!("EXETRAIL_BUILD"), ".");
