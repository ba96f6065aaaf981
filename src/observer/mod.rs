//! Ways of watching a program start; one file or folder each.
//!
//! An observer is armed before anything starts and disarmed when the launcher's tree is gone. How
//! far it can be trusted is its own to say: [`Sight`] tells whether it holds the process still
//! while it looks, hears of it later, or may miss something.

pub mod fanotify;
pub mod stages;

use std::time::Instant;

use anyhow::Result;

use crate::trail::Sighting;

/// One way of watching.
pub trait Observer {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// How far it can be trusted.
    fn sight(&self) -> Sight;

    /// Begins to watch; when it returns, nothing that starts is missed.
    ///
    /// # Errors
    ///
    /// The kernel does not let it watch, or it does not answer in time.
    fn arm(&mut self, deadline: Instant) -> Result<()>;

    /// Ends the watch once every process that was seen has ended, and tells what was seen.
    ///
    /// # Errors
    ///
    /// Processes that still live at the deadline, or an observer that failed.
    fn disarm(&mut self, deadline: Instant) -> Result<Observation>;
}

/// How far an observer can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The process is held while it is looked at: nothing moves, nothing is missed.
    Held,
    /// It hears of a step when the process has gone on, and may say too late or too little.
    Late,
}

/// What an observer saw between arming and disarming.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Steps in order.
    pub sightings: Vec<Sighting>,
    /// Each process with its parent, as far up as could be followed.
    pub parents: Vec<(i32, i32)>,
    /// How many steps it knows to have missed.
    pub lost: u64,
}
