//! A finding for each view of a scenario, so that every format shows both alike.

use super::Finding;
use crate::baseline::View;
use crate::stages;
use crate::trail::Record;

impl Finding {
    /// The text of its view, as a snapshot has it.
    #[must_use]
    pub fn text(&self) -> String {
        let Record { trail, inside, .. } = &self.record;
        match self.view {
            View::Trail => trail.to_string(),
            View::Stages => stages::text(trail, inside),
        }
    }

    /// The finding of the view `stages`, named for it; none where nobody looked.
    #[must_use]
    pub fn of_stages(&self) -> Option<Finding> {
        let inside = &self.record.inside;
        Some(Finding {
            record: Record {
                scenario: format!("{}::{}", self.record.scenario, View::Stages),
                outcome: inside.stages_outcome?,
                reason: inside.stages_reason.clone(),
                ..self.record.clone()
            },
            judged: self.stages.clone(),
            stages: None,
            view: View::Stages,
        })
    }
}

/// The findings with those of their further views behind them, scenario by scenario.
#[must_use]
pub fn views(findings: &[Finding]) -> Vec<Finding> {
    let own = |a: &Finding, b: &Finding| a.record.scenario == b.record.scenario;
    let chunks = findings.chunk_by(own);
    chunks
        .flat_map(|chunk| {
            let further = chunk.iter().filter_map(Finding::of_stages);
            chunk.iter().cloned().chain(further).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::finding;
    use super::*;
    use crate::trail::Outcome;

    #[test]
    fn a_view_has_an_outcome_of_its_own() {
        let mut seen = finding("start/a", "6.1", Outcome::Same);
        seen.record.inside.stages_outcome = Some(Outcome::Changed);
        let all = views(&[seen]);
        let outcomes: Vec<_> = all.iter().map(|found| found.record.outcome).collect();
        assert_eq!(outcomes, [Outcome::Same, Outcome::Changed]);
        assert_eq!(all[1].record.scenario, "start/a::stages");
    }
}
