//! What differs between two trails, in words and as a text diff. Pure: no I/O, uses
//! [`trail`](crate::trail) alone. For the other views [`listed`] finds the words.
//!
//! [`compare`] lines the steps of each process up by what they do (kind and path), so that a step
//! that only changed its comm is one change of a field and not a removal with an addition.
//! `exetrail diff`, `history`, `bisect-step`, the JUnit and HTML reports all speak through it.

mod change;
mod compare;
mod fields;
mod listed;
mod show;
mod steps;

pub use change::{Act, Change, Place, What};
pub use compare::compare;
pub use listed::{Listed, Verbs, all, listed};
pub use show::{Comparison, Form, Side, unified};
