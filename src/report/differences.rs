//! How many findings differ, in which scenarios, and from which kernel on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, plural};
use crate::trail::{KernelId, LabKind, Outcome};

/// The kernels that gave a report, oldest first, and whether it differs; none is the running one.
type Kernels = BTreeMap<Option<KernelId>, bool>;

/// Sums up what a reviewer has to look at; empty when nothing differs.
#[must_use]
pub fn differences(rows: &[Row<'_>]) -> String {
    let mut scenarios: BTreeMap<String, Kernels> = BTreeMap::new();
    for row in rows {
        let differs = match row.seen.outcome {
            Outcome::Same | Outcome::Seen => false,
            Outcome::Changed | Outcome::New => true,
            Outcome::Unsupported | Outcome::Broken => continue,
        };
        let kernel = &row.record.kernel;
        let id = Some(kernel.lab).filter(|lab| *lab == LabKind::Vm);
        if let Ok(id) = id.map(|_| kernel.id.parse()).transpose() {
            let own = scenarios.entry(row.label()).or_default();
            *own.entry(id).or_default() |= differs;
        }
    }
    scenarios.retain(|_, kernels| kernels.values().any(|differs| *differs));
    if scenarios.is_empty() {
        return String::new();
    }
    let kernels = scenarios.values().flat_map(BTreeMap::values);
    let count = kernels.filter(|differs| **differs).count();
    let names = scenarios.keys().map(|label| label.split("::").next());
    let names: BTreeSet<_> = names.collect();
    let mut text = format!(
        "{count} {} new or changed, of {} {}:",
        if count == 1 {
            "report is"
        } else {
            "reports are"
        },
        names.len(),
        plural(names.len(), "scenario")
    );
    for (scenario, kernels) in &scenarios {
        text += &format!("\n  {scenario}: {}", places(kernels));
    }
    text
}

/// "from 6.12 on", "from 6.1 to 6.12", "on 6.1 alone and from 7.0 on".
fn places(kernels: &Kernels) -> String {
    let known = kernels.iter();
    let all: Vec<_> = known
        .filter_map(|(id, differs)| Some((id.as_ref()?, differs)))
        .collect();
    let mut parts = Vec::new();
    let mut seen = 0;
    for run in all.chunk_by(|a, b| a.1 == b.1) {
        seen += run.len();
        let (Some((first, differs)), Some((last, _))) = (run.first(), run.last()) else {
            continue;
        };
        if !**differs {
            continue;
        }
        parts.push(if all.len() == 1 {
            format!("on {first}")
        } else if seen == all.len() {
            format!("from {first} on")
        } else if run.len() == 1 {
            format!("on {first} alone")
        } else {
            format!("from {first} to {last}")
        });
    }
    if kernels.get(&None) == Some(&true) {
        parts.push("on the running kernel".to_owned());
    }
    parts.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;
    use crate::view::{STAGES, rows};

    /// The line of one scenario that differs on some of the kernels 6.1, 6.12 and 7.0.
    fn line(changed: &[&str]) -> String {
        let outcome = |id: &&str| match changed.contains(id) {
            true => Outcome::Changed,
            false => Outcome::Same,
        };
        let records = ["7.0", "6.1", "6.12"].map(|id| record("start/a", id, outcome(&id)));
        let text = differences(&rows(&records));
        text.lines().nth(1).unwrap_or_default().trim().to_owned()
    }

    #[test]
    fn a_change_that_stays_is_told_by_its_first_kernel() {
        assert_eq!(line(&["6.12", "7.0"]), "start/a: from 6.12 on");
    }

    #[test]
    fn a_change_of_one_kernel_alone_says_so() {
        assert_eq!(line(&["6.12"]), "start/a: on 6.12 alone");
    }

    #[test]
    fn a_gap_makes_two_parts() {
        assert_eq!(
            line(&["6.1", "7.0"]),
            "start/a: on 6.1 alone and from 7.0 on"
        );
    }

    #[test]
    fn of_one_kernel_nothing_is_said_of_later_ones() {
        let text = differences(&rows(&[record("start/a", "6.1", Outcome::Changed)]));
        assert_eq!(text.lines().nth(1), Some("  start/a: on 6.1"));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(differences(&rows(&[record("a", "6.1", Outcome::Same)])), "");
    }

    #[test]
    fn the_first_line_counts() {
        let text = differences(&rows(&[record("a", "6.1", Outcome::New)]));
        assert!(
            text.starts_with("1 report is new or changed, of 1 scenario:"),
            "{text}"
        );
    }

    #[test]
    fn the_views_of_a_scenario_are_one_scenario() {
        let mut record = record("a", "6.1", Outcome::New);
        let mut further = record.seen[0].clone();
        further.view = STAGES;
        record.seen.push(further);
        let text = differences(&rows(&[record]));
        assert!(
            text.starts_with("2 reports are new or changed, of 1 scenario:"),
            "{text}"
        );
    }
}
