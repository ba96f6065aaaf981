//! The view `tracepoints`.

use super::Way;
use crate::view::Name;

/// Tracepoints, as tracefs prints them.
#[derive(Debug)]
pub struct Tracepoints;

impl Way for Tracepoints {
    const NAME: Name = Name::new("tracepoints");
    const ABOUT: &'static str = "the tracepoints of an exec, as tracefs prints them";
}
