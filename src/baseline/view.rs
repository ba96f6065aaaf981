//! The views that a scenario can be snapshotted as, each with a text of its own.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{stages, trail};

/// A view: a folder below a scenario's snapshots.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// What an observer sees: the steps.
    #[default]
    Trail,
    /// Where inside the kernel each step falls.
    Stages,
}

impl View {
    /// Every view.
    pub const ALL: [View; 2] = [View::Trail, View::Stages];

    /// Name of its folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            View::Trail => "trail",
            View::Stages => "stages",
        }
    }

    /// Whether a text is a whole one of this view.
    ///
    /// # Errors
    ///
    /// The first line that the view does not have.
    pub fn check(self, text: &str) -> Result<()> {
        match self {
            View::Trail => trail::parse(text).map(drop)?,
            View::Stages => stages::parse(text).map(drop)?,
        }
        Ok(())
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl AsRef<Path> for View {
    fn as_ref(&self) -> &Path {
        Path::new(self.name())
    }
}
