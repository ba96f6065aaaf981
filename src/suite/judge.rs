//! Compares a trail with the baseline.

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use crate::baseline::{Baselines, Lineage, Store, View};
use crate::trail::{KernelId, Outcome, Trail};

/// The view that a trail is snapshotted as.
pub const VIEW: View = View::Trail;

/// A trail against its baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Same, changed, new; broken when the baseline cannot be read.
    pub outcome: Outcome,
    /// Why it is broken.
    pub reason: Option<String>,
    /// The kernel whose snapshot it was held against.
    pub owner: Option<KernelId>,
    /// The difference, as a unified diff; the whole text for what is new.
    pub diff: Option<String>,
}

/// Judges a trail of this scenario on this kernel.
#[must_use]
pub fn judge(
    store: &Store,
    lineage: &Lineage,
    id: &KernelId,
    scenario: &str,
    trail: &Trail,
) -> Judged {
    judge_text((store, lineage), id, (scenario, VIEW), &trail.to_string())
}

/// Judges the text of one view of this scenario on this kernel.
#[must_use]
pub fn judge_text(
    (store, lineage): (&Store, &Lineage),
    id: &KernelId,
    (scenario, view): (&str, View),
    text: &str,
) -> Judged {
    match store.load(scenario, view) {
        Ok(files) => compare(lineage, &files, id, text),
        Err(error) => Judged {
            outcome: Outcome::Broken,
            reason: Some(format!("{error:#}")),
            owner: None,
            diff: None,
        },
    }
}

fn compare(lineage: &Lineage, files: &Baselines, id: &KernelId, text: &str) -> Judged {
    let owner = lineage.owner(id, files);
    let baseline = owner.and_then(|owner| files.get(owner));
    let (outcome, diff) = match baseline {
        None => (Outcome::New, Some(difference("", text, "(nothing)", id))),
        Some(baseline) if baseline == text => (Outcome::Same, None),
        Some(baseline) => {
            let name = owner.map_or_else(String::new, |owner| format!("snapshot of {owner}"));
            (
                Outcome::Changed,
                Some(difference(baseline, text, &name, id)),
            )
        }
    };
    Judged {
        outcome,
        reason: None,
        owner: owner.cloned(),
        diff,
    }
}

fn difference(old: &str, new: &str, old_name: &str, id: &KernelId) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(old_name, &format!("seen on {id}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(files: &[(&str, &str)], text: &str) -> Judged {
        let ids = ["5.10", "6.1"].map(|id| (id.parse().unwrap(), None));
        let files = files
            .iter()
            .map(|(id, text)| (id.parse().unwrap(), (*text).to_owned()))
            .collect();
        compare(&Lineage::new(ids), &files, &"6.1".parse().unwrap(), text)
    }

    #[test]
    fn a_text_that_is_inherited_is_the_same() {
        assert_eq!(judged(&[("5.10", "a\n")], "a\n").outcome, Outcome::Same);
    }

    #[test]
    fn another_text_is_a_change_with_a_diff_against_the_owner() {
        let judged = judged(&[("5.10", "a\n")], "b\n");
        assert_eq!(judged.outcome, Outcome::Changed);
        let diff = judged.diff.unwrap();
        assert!(
            diff.contains("--- snapshot of 5.10") && diff.contains("-a\n+b\n"),
            "{diff}"
        );
    }

    #[test]
    fn without_any_baseline_it_is_new() {
        assert_eq!(judged(&[], "a\n").outcome, Outcome::New);
    }
}
