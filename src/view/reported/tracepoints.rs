//! The view `tracepoints`.

use super::Way;
use crate::view::ViewName;

/// Tracepoints, as tracefs prints them.
#[derive(Debug)]
pub struct Tracepoints;

impl Way for Tracepoints {
    const NAME: ViewName = ViewName::new("tracepoints");
    const ABOUT: &'static str = "the tracepoints of an exec, as tracefs prints them";
}
