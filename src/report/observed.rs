//! What findings say of the kernels of the table, as snapshots would have it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Finding;
use crate::baseline::View;
use crate::trail::{KernelId, Lab};

/// The texts of one view by kernel, for each scenario.
pub type Observed<'a> = BTreeMap<&'a str, BTreeMap<KernelId, String>>;

/// The texts of all findings that have this view and speak for a series.
///
/// The running kernel is held against snapshots, but does not speak for its series.
///
/// # Errors
///
/// A finding whose kernel id is no series.
pub fn observed(findings: &[Finding], view: View) -> Result<Observed<'_>> {
    let mut observed = Observed::new();
    for finding in findings {
        let record = &finding.record;
        if record.kernel.lab != Lab::Vm {
            continue;
        }
        let text = match view {
            View::Trail => finding.judged.as_ref().map(|_| finding.text()),
            View::Stages => {
                let own = finding.of_stages().filter(|own| own.judged.is_some());
                own.map(|own| own.text())
            }
        };
        let Some(text) = text else { continue };
        let id = record.kernel.id.parse().map_err(anyhow::Error::msg)?;
        observed
            .entry(&record.scenario)
            .or_default()
            .insert(id, text);
    }
    Ok(observed)
}
