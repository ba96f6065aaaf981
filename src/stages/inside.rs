//! The stages of a scenario, with the steps between them: the data alone.

use serde::{Deserialize, Serialize};

use crate::trail::Step;

/// A stage that a process has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StageMark {
    /// Name of the process.
    pub process: String,
    /// Name of the stage, as `docs/stages.md` has it.
    pub stage: String,
    /// The kernel's function or tracepoint that showed it, or `uprobe`.
    pub symbol: String,
    /// What more was seen there: a return value, a new comm, a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One point of the story: a stage inside the kernel, or a step that the monitor held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Point {
    /// Inside the kernel.
    Stage(StageMark),
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

/// A story without these stages, which are somebody else's doing.
#[must_use]
pub fn without(mut story: Vec<Point>, stages: &[&str]) -> Vec<Point> {
    story.retain(|point| match point {
        Point::Stage(mark) => !stages.contains(&mark.stage.as_str()),
        Point::Step(_) => true,
    });
    story
}

/// The stages of one scenario: the body of the view in a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// Steps and stages, grouped by process; inside a group the order is the kernel's own.
    pub stages: Vec<Point>,
    /// Stages that cannot be traced on this kernel. That one of them is missing from the list says
    /// nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untraceable: Vec<String>,
    /// Functions of what this kernel was built or booted without, such as a module. Their stages are
    /// missing, and that is no difference to a kernel that has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
}

impl Inside {
    /// What a kernel shows of this that lacks these functions.
    #[must_use]
    pub fn without(mut self, absent: &[String]) -> Inside {
        self.stages.retain(|point| match point {
            Point::Stage(mark) => !absent.contains(&mark.symbol),
            Point::Step(_) => true,
        });
        absent.clone_into(&mut self.absent);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Inside, Point, StageMark, without};

    #[test]
    fn what_is_not_the_execs_own_is_left_out() {
        let stage = |stage: &str| {
            Point::Stage(StageMark {
                process: "p1".into(),
                stage: stage.into(),
                symbol: "f".into(),
                detail: None,
            })
        };
        let story = without(vec![stage("audit"), stage("reported")], &["audit"]);
        assert_eq!(story, [stage("reported")]);
    }

    #[test]
    fn a_kernel_without_a_function_does_not_show_its_stages() {
        let stage = |symbol: &str| {
            Point::Stage(StageMark {
                process: "p1".into(),
                stage: "s".into(),
                symbol: symbol.into(),
                detail: None,
            })
        };
        let inside = Inside {
            stages: vec![stage("f"), stage("g")],
            ..Inside::default()
        };
        let found = inside.without(&["f".to_owned()]);
        assert_eq!(
            (found.stages, found.absent),
            (vec![stage("g")], vec!["f".to_owned()])
        );
    }
}
