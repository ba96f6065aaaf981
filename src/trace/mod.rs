//! The kernel's trace as its ring buffer holds it: pages of records, each of a form that the kernel describes.
//!
//! The text that tracefs makes of it has names that programs choose as they are: a path with a newline is two
//! lines there, and a comm may look like the field that follows it. Here each field has its place and its length.
//! [`records`] takes a page apart, [`Formats`] reads what a record tells, [`lines`] joins both. Pure; who reads the
//! pages is `observer::tracefs`.

mod format;
mod functions;
mod line;
mod ring;

pub use format::{Format, Formats, Value, Values};
pub use functions::{Functions, plain};
pub use line::{Line, MARKER, Said, lines};
pub use ring::{Record, records};
