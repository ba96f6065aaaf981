//! The view `proc-poll`.

use super::Way;
use crate::view::ViewName;

/// `/proc` at each step, and when the process has ended.
#[derive(Debug)]
pub struct ProcPoll;

impl Way for ProcPoll {
    const NAME: ViewName = ViewName::new("proc-poll");
    const ABOUT: &'static str = "what /proc says at each step and at the end";
}
