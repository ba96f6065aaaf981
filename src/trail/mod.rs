//! What was observed while a program started: pure data and its text, no I/O.
//!
//! A [`Sighting`] is what an observer saw, with the kernel's numbers in it. [`normalise`] gives
//! the numbers names and makes a [`Trail`] of it, which [`text`] writes in the form that snapshots
//! have and [`parse`] reads back.
//! Most modules use this one; it uses `arch` alone.

mod agreement;
mod comm;
mod escape;
mod field;
mod foreign;
mod kernel_id;
mod kernel_info;
mod markdown;
mod mask;
mod normalise;
mod outcome;
mod parse;
#[cfg(test)]
mod property;
mod release;
mod sighting;
mod step;
mod text;
mod told;
mod unseen;
mod verdict;

pub use agreement::Agreement;
pub(crate) use comm::{own_comm, unprintable};
pub use escape::{is_visible, printable};
pub(crate) use field::before;
pub use foreign::{foreign, shown};
pub use kernel_id::KernelId;
pub use kernel_info::{KernelInfo, LabKind};
pub use markdown::markdown;
pub use mask::Mask;
pub use normalise::normalise;
pub(crate) use normalise::{Names, comm, own, step_at};
pub use outcome::Outcome;
pub(crate) use parse::is_step;
pub use parse::{ParseError, parse};
pub use release::{Release, is_release};
pub use sighting::{By, Exit, Later, LaterThread, LaunchCall, Run, SelfReport, Sighting};
pub use step::{Ended, How, LONGEST, Section, Started, Step, Trail};
pub(crate) use text::PATH;
pub use told::{Told, ToldTo};
pub(crate) use unseen::{UNSEEN, Unseen};
pub use verdict::{Fact, Found, Judgement, Verdict};
