//! What is to be said of views that are not as accepted.

use serde::Serialize;

use super::Chapter;
use crate::diff::Side;
use crate::trail::Outcome;
use crate::view::{Record, Row, TRAIL};

/// What is to be said of one finding.
#[derive(Debug, Serialize)]
pub struct Remark {
    kernel: String,
    outcome: Outcome,
    reason: Option<String>,
    words: Vec<String>,
    diff: String,
}

impl Remark {
    /// Whether somebody has to look at it.
    pub fn calls(&self) -> bool {
        !matches!(self.outcome, Outcome::Seen | Outcome::Unsupported)
    }
}

/// What is to be said of the views that are not as accepted.
pub fn remarks(chapter: &Chapter, records: &[&Record]) -> Vec<Remark> {
    let rows = records.iter().flat_map(|record| {
        let seen = record.seen.iter();
        seen.map(|seen| Row { record, seen })
    });
    let rows = rows.filter(|row| row.seen.outcome != Outcome::Same);
    rows.map(|row| remark(chapter, &row)).collect()
}

fn remark(chapter: &Chapter, row: &Row<'_>) -> Remark {
    let (record, seen) = (row.record, row.seen);
    let kernel = record.kernel.label();
    let accepted = chapter
        .accepted
        .iter()
        .find(|accepted| accepted.kernel == kernel && accepted.body.0 == seen.view);
    let comparison = accepted
        .zip(seen.body.as_ref())
        .and_then(|(accepted, body)| {
            let old = Side {
                kernel: kernel.to_owned(),
                source: format!("snapshot of {}", accepted.owner),
            };
            let new = Side::seen(&record.kernel);
            let view = seen.view.view()?;
            Some(view.compare(&chapter.name, (old, &accepted.body.1), (new, body)))
        });
    let (words, diff) = comparison.map_or_else(Default::default, |c| (c.words, c.diff));
    Remark {
        kernel: match seen.view == TRAIL {
            true => kernel.to_owned(),
            false => format!("{kernel}, {}", seen.view),
        },
        outcome: seen.outcome,
        reason: seen.reason.clone(),
        words,
        diff,
    }
}
