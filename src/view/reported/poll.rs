//! The view `proc-poll`.

use super::Way;
use crate::view::Name;

/// `/proc` at each step, and when the process has ended.
#[derive(Debug)]
pub struct ProcPoll;

impl Way for ProcPoll {
    const NAME: Name = Name::new("proc-poll");
    const ABOUT: &'static str = "what /proc says at each step and at the end";
}
