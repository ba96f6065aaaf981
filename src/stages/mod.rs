//! Where inside the kernel each step of a trail falls: the second view of a scenario.
//!
//! [`WORDS`] is the vocabulary. [`arrange`] keeps of the kernel's trace ([`crate::trace`]) what belongs
//! to the scenario's processes and lays it between the monitor's steps, [`text`] writes the view as
//! snapshots have it and [`parse`] reads it back. [`claims`] checks the five sentences that this
//! project rests on; [`brief`] tells the story in a few lines and [`explain`] in full. All of it is pure; who traces is
//! [`crate::observer::stages`].

mod arrange;
mod brief;
mod claims;
mod explain;
mod inside;
mod packed;
mod parse;
mod table;
mod text;

pub(crate) use arrange::errno;
pub use arrange::{BRIEF, LASTING, arrange};
pub use brief::brief;
pub use claims::{CLAIMS, Held, IdentityChange, Sentence, Stretch, WRONG, changes, execs};
pub use explain::explain;
pub use inside::{Inside, Point, StageMark, without};
pub use packed::Packed;
pub use parse::{Story, parse};
pub use table::{
    ABSENT, AUDIT, CALL, LOADER_RUNS, PROGRAM_RUNS, RETURN, Scope, Source, WORDS, Word,
};
pub use text::text;
