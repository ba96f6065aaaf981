//! What launcher and runner tell each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::premise::Premise;
use crate::trail::{Exit, Fact, LaunchCall, SelfReport, Verdict};
use crate::wire::{Policy, Submit};

/// What the launcher asks of the runner.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Watch from now on.
    Arm {
        /// Paths on further file systems that are watched.
        also: Vec<PathBuf>,
        /// What is done with one of the events.
        policy: Option<Policy>,
    },
    /// The tree of this start is reaped: end the watch.
    Disarm(Box<LaunchEnding>),
    /// Write a sysctl, and put it back after the scenario.
    Sysctl {
        /// Path below `/proc/sys`.
        name: String,
        /// New value.
        value: String,
    },
    /// The scenario will make this file or directory: remove it afterwards.
    Remove(PathBuf),
    /// Register a format with binfmt_misc, and take it out afterwards.
    Format {
        /// Its name.
        name: String,
        /// The line for `register`.
        rule: String,
    },
    /// What the scenario says of a claim.
    Verdict(Verdict),
    /// What the scenario found out.
    Fact(Fact),
    /// The scenario has ended.
    Done(Result<(), String>),
}

/// What a launch left, as the runner is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct LaunchEnding {
    /// What is special about this start; none for a scenario that has only one.
    pub heading: Option<String>,
    /// The start.
    pub call: LaunchCall,
    /// The ends.
    pub exits: Vec<Exit>,
    /// What programs of ours said.
    pub words: Vec<SelfReport>,
    /// A helper of the kernel whose end is waited for.
    pub helper: Option<String>,
    /// What the model is told of the call.
    pub premise: Option<Premise>,
    /// The watch ends, or a process is killed, in the middle of it.
    pub cut: bool,
}

/// What the runner answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Ok,
    /// The watch has begun, of a child that does this to itself first.
    Armed(Vec<Submit>),
    /// The watch has ended: the events in order, in words.
    Seen(Vec<String>),
    /// It cannot be done.
    Failed(String),
}
