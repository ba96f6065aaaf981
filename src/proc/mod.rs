//! What `/proc` says of processes and mounts, read in one place: proc(5).
//!
//! The program that scenarios start reads its own state without a library (`crate::subject`), and is
//! not a customer of this.

mod cgroup;
mod descriptors;
mod family;
mod held;
mod mount;
mod page;
mod stat;
mod status;
mod text;

pub use cgroup::Cgroups;
pub use descriptors::Descriptor;
pub use family::{everybody, family};
pub use held::{hold, link};
pub use mount::Mount;
pub use page::is_present;
pub use stat::Stat;
pub use status::{Status, is_below};
pub use text::{bytes, text};
