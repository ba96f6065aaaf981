//! What the other ways of watching report of a scenario: one kind of value for all of them, pure.
//!
//! An observer writes down [`Raw`] events with the kernel's numbers in them; [`place`] keeps those of
//! the scenario's processes, gives the numbers names and says how many steps of the trail came before
//! each. The result is a [`Report`], with its text and the parser of that text. A field that a way
//! does not have is absent; one that it has is written as it came, also where it is wrong: whether it
//! is, is for [`judge`] to say, which holds a report against trail and stages.

mod attempt;
mod audit;
mod cost;
mod field;
mod footprint;
mod glance;
mod ima;
mod judge;
mod lie;
mod place;
mod report;
mod show;
mod sign;
mod spoken;
mod survey;
mod table;
mod tetragon;
mod text;
mod trace;
mod value;
mod words;

pub use attempt::{Attempt, End, attempts, with_arguments, with_root};
pub use audit::{calls, complaints};
pub use cost::is_measured;
pub use field::{Field, Fields};
pub use footprint::beside;
pub use glance::glance;
pub use ima::measured;
pub use judge::{Chain, Heard, Path, SignJudged, Whose, judge};
pub use lie::Lie;
pub use place::{Child, Raw, place};
pub use report::{Cost, Event, Kind, Report, Round};
pub use show::{json, markdown, table_text};
pub use sign::{SIGNS, Says, Sign};
pub use spoken::{AgentSaid, PROTOCOL, said};
pub use survey::{SURVEY, verdicts};
pub use table::{Cell, Column, Row, Scene, Table, of_trail};
pub use text::{ParseError, parse, text};
pub use trace::{DEPTH, events};
pub use value::{CUT, listed, told};
