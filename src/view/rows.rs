//! Records taken apart for whoever shows or counts them: a row for each view of a scenario.

use super::{Record, TRAIL, VIEWS, ViewName, ViewSeen};

/// One view of one scenario on one kernel.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The record that it is of.
    pub record: &'a Record,
    /// What the view saw.
    pub seen: &'a ViewSeen,
}

impl Row<'_> {
    /// What it is called: `start/shebang`, and `start/shebang::stages` for a further view.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.record.scenario, self.seen.view)
    }
}

/// What a view of a scenario is called.
#[must_use]
pub fn label(scenario: &str, view: ViewName) -> String {
    match view == TRAIL {
        true => scenario.to_owned(),
        false => format!("{scenario}::{view}"),
    }
}

/// The rows of records that are ordered by scenario: view by view within each.
#[must_use]
pub fn rows(records: &[Record]) -> Vec<Row<'_>> {
    let scenarios = records.chunk_by(|a, b| a.scenario == b.scenario);
    let mut rows = Vec::new();
    for own in scenarios {
        for view in VIEWS {
            let of_view = own.iter().filter_map(|record| {
                let seen = record.of(view.name())?;
                Some(Row { record, seen })
            });
            rows.extend(of_view);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::STAGES;
    use super::*;
    use crate::trail::Outcome;
    use crate::view::tests::record;

    #[test]
    fn each_view_is_a_row_and_those_of_one_view_stand_together() {
        let mut records = ["6.1", "6.12"].map(|kernel| record("start/a", kernel, Outcome::Same));
        for record in &mut records {
            let changed = ViewSeen::nothing(STAGES, Outcome::Changed, "because");
            record.seen.push(changed);
        }
        let rows = rows(&records);
        let labels: Vec<_> = rows.iter().map(Row::label).collect();
        let expected = ["start/a", "start/a", "start/a::stages", "start/a::stages"];
        assert_eq!(labels, expected);
        assert_eq!(rows[3].record.kernel.id, "6.12");
    }
}
