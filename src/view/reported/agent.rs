//! The view `agent`: it is of a program that a user brings, so that it applies where one was brought.

use std::sync::OnceLock;

use super::Way;
use crate::view::ViewName;

/// Whether this process has an agent to observe with.
static BROUGHT: OnceLock<()> = OnceLock::new();

/// What an agent of a user's reports.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// There is an agent: the view applies from now on, in this process.
    pub fn bring() {
        // It is there already, which is as well.
        let _ = BROUGHT.set(());
    }
}

impl Way for Agent {
    const NAME: ViewName = ViewName::new("agent");
    const ABOUT: &'static str = "what the program of `run --agent` reports";

    fn is_there() -> bool {
        BROUGHT.get().is_some()
    }
}
