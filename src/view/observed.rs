//! What records say of the kernels of the table, as snapshots would have it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Record, ViewName};
use crate::trail::{KernelId, LabKind, Outcome};

/// The texts of one view by kernel, for each scenario.
pub type Observed<'a> = BTreeMap<&'a str, BTreeMap<KernelId, String>>;

/// The texts of all records that have a body of this view and speak for a series.
///
/// The running kernel is compared with snapshots, but does not speak for its series. What is held to no snapshot makes
/// none: beside an agent of a user's it may be that agent's doing.
///
/// # Errors
///
/// A record whose kernel id is no series.
pub fn observed(records: &[Record], view: ViewName) -> Result<Observed<'_>> {
    let mut observed = Observed::new();
    for record in records {
        let seen = record.of(view);
        let seen = seen.filter(|seen| seen.outcome != Outcome::Seen);
        let text = seen.and_then(super::ViewSeen::text);
        let (LabKind::Vm, Some(text)) = (record.kernel.lab, text) else {
            continue;
        };
        let id = record.kernel.id.parse().map_err(anyhow::Error::msg)?;
        observed
            .entry(&record.scenario)
            .or_default()
            .insert(id, text);
    }
    Ok(observed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::TRAIL;
    use crate::view::tests::record;

    #[test]
    fn what_is_held_to_no_snapshot_makes_none() {
        let records = [
            record("start/a", "6.1", Outcome::New),
            record("start/b", "6.1", Outcome::Seen),
        ];
        let observed = observed(&records, TRAIL).unwrap();
        assert_eq!(observed.into_keys().collect::<Vec<_>>(), ["start/a"]);
    }
}
