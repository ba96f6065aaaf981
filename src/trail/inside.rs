//! What a record says of the inside of the kernel: the stages, with the steps between them.
//!
//! How it is made, written, read and judged is told in [`crate::stages`]; these are only the data.

use serde::{Deserialize, Serialize};

use super::{Outcome, Step};

/// A stage that a process has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Name of the process.
    pub process: String,
    /// Name of the stage, as `docs/stages.md` has it.
    pub stage: String,
    /// The kernel's function or tracepoint that showed it.
    pub symbol: String,
    /// What more was seen there: a return value, a new comm, a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One point of the story: a stage inside the kernel, or a step that the monitor held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Point {
    /// Inside the kernel.
    Stage(Mark),
    /// A permission event.
    Step(Step),
}

impl Point {
    /// Name of the process that it belongs to.
    #[must_use]
    pub fn process(&self) -> &str {
        match self {
            Point::Stage(mark) => &mark.process,
            Point::Step(step) => &step.process,
        }
    }
}

/// The keys of a record that the view `stages` brings; all are absent where it was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// Steps and stages, grouped by process; inside a group the order is the kernel's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Point>,
    /// Stages that this kernel offers nothing to hold on to. That one of them is missing from the
    /// list says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untraceable: Vec<String>,
    /// How the view compares; none where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages_outcome: Option<Outcome>,
    /// Why, for what is unsupported or broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages_reason: Option<String>,
}
