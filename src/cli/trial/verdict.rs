//! How a program of the user's is judged, of which nobody has accepted anything: alike on all kernels, and as
//! the model predicts.

use std::process::ExitCode;

use crate::diff::Side;
use crate::trail::{Agreement, KernelInfo, Outcome};
use crate::view::{Judged, Record, TRAIL, ViewName, ViewSeen};

/// Gives trails that differ from the first kernel's, or that the model did not predict, the outcome `changed`
/// with its reason; everything else that was seen is `seen`.
pub fn judge(records: &mut [Record]) {
    let first = records.iter().find(|record| is_whole(record)).cloned();
    for record in records {
        let wrong = record.model.as_ref().map(wrong).unwrap_or_default();
        let wrong = (!wrong.is_empty())
            .then(|| format!("the model predicted otherwise: {}", wrong.join("; ")));
        for seen in &mut record.seen {
            if seen.outcome != Outcome::New {
                continue;
            }
            seen.outcome = Outcome::Seen;
            seen.judged = None;
            if seen.view != TRAIL {
                continue;
            }
            let first = first.as_ref();
            let difference = first.and_then(|first| differs(first, &record.kernel, seen));
            let from = first.filter(|_| difference.is_some());
            let from = from.map(|first| format!("differs from {}", first.kernel.label()));
            seen.judged = difference.map(|diff| Judged {
                owner: None,
                diff: Some(diff),
            });
            let reasons: Vec<_> = from.into_iter().chain(wrong.clone()).collect();
            if !reasons.is_empty() {
                seen.outcome = Outcome::Changed;
                seen.reason = Some(reasons.join("\n"));
            }
        }
    }
}

/// The exit status: 0 alike everywhere and as predicted, 1 not so, 2 something was not seen.
pub fn status(records: &[Record]) -> ExitCode {
    let unseen = |record: &Record| record.of(TRAIL).is_none_or(|seen| seen.body.is_none());
    let broken = |record: &Record| record.outcome() == Outcome::Broken;
    if records.is_empty()
        || records
            .iter()
            .any(|record| unseen(record) || broken(record))
    {
        return ExitCode::from(2);
    }
    let predicted = |record: &Record| {
        let model = record.model.as_ref();
        model.is_none_or(|found| wrong(found).is_empty())
    };
    let alike = behaviours(records, TRAIL).len() == 1;
    match alike && records.iter().all(predicted) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

/// Records whose text of a view is the same.
pub fn behaviours(records: &[Record], view: ViewName) -> Vec<(String, Vec<&Record>)> {
    let mut found: Vec<(String, Vec<&Record>)> = Vec::new();
    for record in records {
        let Some(text) = record.of(view).and_then(|seen| seen.text()) else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == text) {
            Some((_, alike)) => alike.push(record),
            None => found.push((text, vec![record])),
        }
    }
    found
}

/// Whether there is a trail of all that the program does.
pub fn is_whole(record: &Record) -> bool {
    let trail = record.of(TRAIL);
    trail.is_some_and(|seen| seen.body.is_some() && seen.outcome != Outcome::Broken)
}

/// What the model did not predict.
pub fn wrong(found: &Agreement) -> Vec<&str> {
    let all = found.disagreements.iter().chain(&found.renamed);
    all.map(String::as_str).collect()
}

/// How a trail differs from that of the first kernel.
fn differs(first: &Record, kernel: &KernelInfo, seen: &ViewSeen) -> Option<String> {
    let before = first.of(TRAIL)?;
    if before.text() == seen.text() {
        return None;
    }
    let old = (Side::seen(&first.kernel), before.body.as_ref()?);
    let new = (Side::seen(kernel), seen.body.as_ref()?);
    Some(TRAIL.view()?.compare(&first.scenario, old, new).diff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::record;
    use crate::view::{Body, ViewName, trail::Steps};

    fn seen(kernel: &str, comm: &str) -> Record {
        let mut record = record("try", kernel, Outcome::New);
        let text = format!(
            "start p1 by launcher: execve /a\n\
             perm=open    pid=p1 ppid=launcher exe=/a comm={comm} : path=/c\n"
        );
        let trail = crate::trail::parse(&text).unwrap();
        record.seen[0].body = Some(Body::new::<Steps>(trail));
        record.seen[0].reason = None;
        record
    }

    #[test]
    fn what_is_alike_and_predicted_is_seen() {
        let mut records = [seen("5.10", "a"), seen("6.1", "a")];
        judge(&mut records);
        assert!(records.iter().all(|one| one.outcome() == Outcome::Seen));
        assert!(records[1].seen[0].judged.is_none());
    }

    #[test]
    fn what_differs_from_the_first_kernel_is_changed_with_its_difference() {
        let mut records = [seen("5.10", "a"), seen("6.1", "b")];
        judge(&mut records);
        assert_eq!(records[0].outcome(), Outcome::Seen);
        let changed = &records[1].seen[0];
        assert_eq!(changed.outcome, Outcome::Changed);
        assert_eq!(changed.reason.as_deref(), Some("differs from 5.10"));
        let diff = changed.judged.as_ref().unwrap().diff.as_ref().unwrap();
        assert!(diff.contains("comm=b"), "{diff}");
    }

    #[test]
    fn what_the_model_did_not_predict_is_changed_and_says_what() {
        let mut records = [seen("5.10", "a")];
        records[0].model = Some(Agreement {
            disagreements: vec!["open /a".to_owned()],
            renamed: vec!["comm".to_owned()],
            ..Agreement::default()
        });
        judge(&mut records);
        let reason = records[0].seen[0].reason.as_deref();
        let expected = "the model predicted otherwise: open /a; comm";
        assert_eq!(
            (records[0].outcome(), reason),
            (Outcome::Changed, Some(expected))
        );
    }

    #[test]
    fn a_view_beside_the_trail_is_seen() {
        let mut records = [seen("5.10", "a")];
        records[0].seen[0].view = ViewName::new("stages");
        judge(&mut records);
        assert_eq!(records[0].seen[0].outcome, Outcome::Seen);
    }
}
