//! What findings say of the kernels of the table, as snapshots would have it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Finding;
use crate::trail::{KernelId, Lab};

/// The trails' texts by kernel, for each scenario.
pub type Observed<'a> = BTreeMap<&'a str, BTreeMap<KernelId, String>>;

/// The texts of all findings that have a trail and speak for a series.
///
/// The running kernel is held against snapshots, but does not speak for its series.
///
/// # Errors
///
/// A finding whose kernel id is no series.
pub fn observed(findings: &[Finding]) -> Result<Observed<'_>> {
    let mut observed = Observed::new();
    for Finding { record, judged } in findings {
        if judged.is_none() || record.kernel.lab != Lab::Vm {
            continue;
        }
        let id = record.kernel.id.parse().map_err(anyhow::Error::msg)?;
        observed
            .entry(&record.scenario)
            .or_default()
            .insert(id, record.trail.to_string());
    }
    Ok(observed)
}
