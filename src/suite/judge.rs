//! Compares what was seen with the baseline.

use similar::TextDiff;

use crate::baseline::{Baselines, Lineage, Store};
use crate::trail::{KernelId, Outcome};
use crate::view::{AGENT, Body, Compared, Judged, Record, ViewName, ViewSeen};

/// What of an accepted text can be expected; none where that is all of it.
type Fit<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Judges the text of one view of a scenario on a kernel.
fn judge(
    (store, lineage): (&Store, &Lineage),
    id: &KernelId,
    (scenario, view): (&str, ViewName),
    text: &str,
    fit: Fit<'_>,
) -> Compared {
    match store.load(scenario, view) {
        Ok(files) => compare(lineage, &files, id, text, fit),
        Err(error) => Compared {
            outcome: Outcome::Broken,
            reason: Some(format!("{error:#}")),
            judged: Judged::default(),
        },
    }
}

/// Judges a body.
#[must_use]
pub fn judge_body(
    own: (&Store, &Lineage),
    id: &KernelId,
    (scenario, view): (&str, ViewName),
    body: Body,
) -> ViewSeen {
    let known = view.view();
    let text = known.map(|known| known.text(&body)).unwrap_or_default();
    let fit = |accepted: &str| known.and_then(|known| known.fit(&body, accepted));
    let compared = judge(own, id, (scenario, view), &text, &fit);
    ViewSeen::compared(view, body, compared)
}

/// Judges a kept record by the baselines of today; what gave no body stays what it is.
///
/// # Errors
///
/// A record whose kernel has no id.
pub fn judge_again(own: (&Store, &Lineage), record: Record) -> Result<Record, String> {
    let id: KernelId = record.kernel.id.parse()?;
    // Where its own view does not apply, what was not as accepted was kept as seen.
    let beside = |seen: &ViewSeen| {
        seen.view == AGENT || seen.outcome == Outcome::Seen && seen.body.is_some()
    };
    let agent = record.seen.iter().any(beside);
    // What did not end was held to nothing, and is not now.
    let unfinished = |seen: &ViewSeen| seen.outcome == Outcome::Broken && seen.judged.is_none();
    // An agent has no snapshots here: what became of its report then stands.
    let seen = record.seen.into_iter().map(|seen| match seen.body {
        _ if unfinished(&seen) => seen,
        Some(body) if seen.view != AGENT => {
            let judged = judge_body(own, &id, (&record.scenario, seen.view), body);
            match agent {
                true => judged.beside_agent(),
                false => judged,
            }
        }
        body => ViewSeen { body, ..seen },
    });
    Ok(Record {
        seen: seen.collect(),
        ..record
    })
}

fn compare(
    lineage: &Lineage,
    files: &Baselines,
    id: &KernelId,
    text: &str,
    fit: Fit<'_>,
) -> Compared {
    let (outcome, judged) = match lineage.at(id, files) {
        None => (
            Outcome::New,
            Judged {
                owner: None,
                diff: Some(difference("", text, "(nothing)", id)),
            },
        ),
        Some((owner, baseline)) => {
            let name = format!("snapshot of {owner}");
            let fitted = fit(baseline);
            let baseline = fitted.as_deref().unwrap_or(baseline);
            let differs = baseline != text;
            let judged = Judged {
                owner: Some(owner.clone()),
                diff: differs.then(|| difference(baseline, text, &name, id)),
            };
            match differs {
                true => (Outcome::Changed, judged),
                false => (Outcome::Same, judged),
            }
        }
    };
    Compared {
        outcome,
        reason: None,
        judged,
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
    use crate::view::tests;

    fn judged(files: &[(&str, &str)], text: &str) -> Compared {
        let ids = ["5.10", "6.1"].map(|id| (id.parse().unwrap(), None));
        let files = files
            .iter()
            .map(|(id, text)| (id.parse().unwrap(), (*text).to_owned()))
            .collect();
        let id = "6.1".parse().unwrap();
        compare(&Lineage::new(ids), &files, &id, text, &fitted)
    }

    /// A view that lacks what `b` stands for.
    fn fitted(accepted: &str) -> Option<String> {
        accepted
            .contains("b\n")
            .then(|| accepted.replace("b\n", ""))
    }

    #[test]
    fn what_the_kernel_was_built_without_is_no_difference() {
        assert_eq!(judged(&[("5.10", "a\nb\n")], "a\n").outcome, Outcome::Same);
        let compared = judged(&[("5.10", "a\nb\n")], "c\n");
        assert_eq!(compared.outcome, Outcome::Changed);
        assert!(!compared.judged.diff.unwrap().contains("-b"));
    }

    #[test]
    fn a_text_that_is_inherited_is_the_same() {
        let compared = judged(&[("5.10", "a\n")], "a\n");
        assert_eq!(compared.outcome, Outcome::Same);
        assert_eq!(compared.judged.owner, "5.10".parse().ok());
        assert_eq!(compared.judged.diff, None);
    }

    #[test]
    fn another_text_is_a_change_with_a_diff_against_the_owner() {
        let compared = judged(&[("5.10", "a\n")], "b\n");
        assert_eq!(compared.outcome, Outcome::Changed);
        let diff = compared.judged.diff.unwrap();
        assert!(
            diff.contains("--- snapshot of 5.10") && diff.contains("-a\n+b\n"),
            "{diff}"
        );
    }

    #[test]
    fn without_any_baseline_it_is_new() {
        assert_eq!(judged(&[], "a\n").outcome, Outcome::New);
    }

    /// What becomes of a kept trail without snapshots.
    fn again(record: Record) -> Outcome {
        let place = tempfile::tempdir().unwrap();
        let store = Store::Directory(place.path().into());
        let lineage = Lineage::new([("6.1".parse().unwrap(), None)]);
        judge_again((&store, &lineage), record).unwrap().seen[0].outcome
    }

    #[test]
    fn what_was_kept_beside_an_agent_is_held_to_nothing() {
        let alone = tests::record("start/a", "6.1", Outcome::Same);
        let mut beside = alone.clone();
        let agent = ViewSeen {
            view: AGENT,
            ..beside.seen[0].clone()
        };
        beside.seen.push(agent);
        assert_eq!(again(alone), Outcome::New);
        assert_eq!(again(beside), Outcome::Seen);
    }

    #[test]
    fn what_was_kept_as_seen_is_held_to_nothing() {
        let beside = tests::record("policy/a", "6.1", Outcome::Seen);
        assert_eq!(again(beside), Outcome::Seen);
    }
}
