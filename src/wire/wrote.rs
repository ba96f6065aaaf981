//! What programs of a scenario wrote.

use serde::{Deserialize, Serialize};

/// What one start's programs wrote to standard output and standard error, in the order of their writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wrote {
    /// What is special about this start, as in the trail; none for a scenario that has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// The lines.
    pub lines: Vec<String>,
    /// There were more before these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
