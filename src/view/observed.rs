//! What records say of the kernels of the table, as snapshots would have it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Record, ViewName};
use crate::trail::{KernelId, LabKind};

/// The texts of one view by kernel, for each scenario.
pub type Observed<'a> = BTreeMap<&'a str, BTreeMap<KernelId, String>>;

/// The texts of all records that have a body of this view and speak for a series.
///
/// The running kernel is compared with snapshots, but does not speak for its series.
///
/// # Errors
///
/// A record whose kernel id is no series.
pub fn observed(records: &[Record], view: ViewName) -> Result<Observed<'_>> {
    let mut observed = Observed::new();
    for record in records {
        let text = record.of(view).and_then(super::ViewSeen::text);
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
