//! One scenario on one kernel: what each view saw, and how it compares.

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::{Body, Compared, Judged, TRAIL, View, ViewName, trail};
use crate::trail::{Agreement, KernelInfo, Outcome, Trail};
use crate::wire::Wrote;

/// Version of the record's form; a reader refuses what is newer and still reads the first.
pub const SCHEMA: u32 = 2;

/// One scenario on one kernel.
///
/// One line of `--format json`. The snapshots' texts are a pure function of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Kept", try_from = "serde_json::Value")]
pub struct Record {
    /// `family/name`.
    pub scenario: String,
    /// The kernel under test.
    pub kernel: KernelInfo,
    /// What each view saw that was armed; the trail is the first.
    pub seen: Vec<ViewSeen>,
    /// How the trail agrees with the model; none where there is no trail.
    pub model: Option<Agreement>,
    /// What the programs wrote, where that was kept.
    pub output: Vec<Wrote>,
}

/// What one view saw, and how it compares.
#[derive(Clone, Debug)]
pub struct ViewSeen {
    /// The view.
    pub view: ViewName,
    /// How it compares.
    pub outcome: Outcome,
    /// Why, for what is unsupported or broken, and for a program of a user's that differs.
    pub reason: Option<String>,
    /// What was seen, of what did not end until then; none for what is unsupported, or broken before anything was seen.
    pub body: Option<Body>,
    /// The comparison; none without a body.
    pub judged: Option<Judged>,
}

impl Record {
    /// What a view saw; none when it was not armed or does not apply.
    #[must_use]
    pub fn of(&self, view: ViewName) -> Option<&ViewSeen> {
        self.seen.iter().find(|seen| seen.view == view)
    }

    /// The body of a view; none where there is none.
    #[must_use]
    pub fn body<V: View>(&self) -> Option<&V::Body> {
        self.of(V::NAME)?.body.as_ref()?.get::<V>()
    }

    /// The trail; none where the monitor saw nothing.
    #[must_use]
    pub fn trail(&self) -> Option<&Trail> {
        self.body::<trail::Steps>()
    }

    /// The worst outcome of its views.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let all = self.seen.iter().map(|seen| seen.outcome);
        all.max_by_key(|outcome| outcome.badness())
            .unwrap_or(Outcome::Broken)
    }
}

impl ViewSeen {
    /// Nothing was seen, for this reason.
    #[must_use]
    pub fn nothing(view: ViewName, outcome: Outcome, reason: impl Into<String>) -> ViewSeen {
        ViewSeen {
            view,
            outcome,
            reason: Some(reason.into()),
            body: None,
            judged: None,
        }
    }

    /// A body that is held against no snapshot.
    #[must_use]
    pub fn taken(view: ViewName, body: Body) -> ViewSeen {
        ViewSeen {
            view,
            outcome: Outcome::Seen,
            reason: None,
            body: Some(body),
            judged: None,
        }
    }

    /// The same beside an agent of a user's: what differs is that agent's footprint, and nobody is held to it.
    #[must_use]
    pub fn beside_agent(self) -> ViewSeen {
        match self.outcome {
            Outcome::Changed => ViewSeen {
                outcome: Outcome::Seen,
                ..self
            },
            Outcome::New => ViewSeen {
                outcome: Outcome::Seen,
                judged: None,
                ..self
            },
            _ => self,
        }
    }

    /// How it differs from what is accepted, where it is not held to that.
    #[must_use]
    pub fn footprint(&self) -> Option<&str> {
        let judged = self.judged.as_ref()?;
        let diff = judged.diff.as_deref();
        diff.filter(|_| self.outcome == Outcome::Seen)
    }

    /// Whether its guest died or fell silent: its reason ends with what the console said
    /// (`vm::session::Breakdown`).
    #[must_use]
    pub fn went_with_its_guest(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        reason.contains("\nthe console's last lines:\n")
            || reason.ends_with("\nthe console is empty")
    }

    /// A body with how it compares.
    #[must_use]
    pub fn compared(view: ViewName, body: Body, compared: Compared) -> ViewSeen {
        ViewSeen {
            view,
            outcome: compared.outcome,
            reason: compared.reason,
            body: Some(body),
            judged: Some(compared.judged),
        }
    }

    /// The trail of a scenario that was not observed, for this reason.
    #[must_use]
    pub fn no_trail(outcome: Outcome, reason: impl Into<String>) -> ViewSeen {
        ViewSeen::nothing(TRAIL, outcome, reason)
    }

    /// The text that a snapshot of it has; none without a body.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        Some(self.view.view()?.text(self.body.as_ref()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_guest_is_told_from_a_scenario_that_failed() {
        let went = |reason| ViewSeen::no_trail(Outcome::Broken, reason).went_with_its_guest();
        assert!(went(
            "QEMU ended before PID 1 came up\nthe console is empty"
        ));
        assert!(went("it hangs\nthe console's last lines:\n  a"));
        assert!(!went("the scenario failed: no such file"));
    }
}
