//! A run whose findings are wanted as a whole: for `diff` and `bisect-step`.

use anyhow::{Context as _, Result, bail};

use super::progress::Progress;
use crate::baseline::View;
use crate::project::Project;
use crate::report::Finding;
use crate::scenario::Registered;
use crate::suite::{Event, Options, Stop, Suite, Target, Work};
use crate::trail::Lab;

/// Runs scenarios on kernels; one list of findings for each target, in its order.
///
/// # Errors
///
/// The run could not be prepared, or the user stopped it.
pub fn observe(
    project: &Project,
    targets: &[Target],
    scenarios: &[&'static Registered],
) -> Result<Vec<Vec<Finding>>> {
    // Any kernel that is booted tells how machines run here.
    let booted = targets.iter().find(|target| target.lab() == Lab::Vm);
    let Some(trial) = booted.or(targets.first()) else {
        return Ok(Vec::new());
    };
    let stop = Stop::listen()?;
    let program = std::env::current_exe().context("failed to find this program")?;
    let suite = Suite::prepare(project, &program, trial, &stop)?;
    let work: Vec<_> = targets
        .iter()
        .map(|target| Work {
            target: target.clone(),
            scenarios: scenarios.to_vec(),
        })
        .collect();
    let mut progress = Progress::new(targets, scenarios.len());
    let mut findings = vec![Vec::new(); targets.len()];
    let complete = suite.run(&work, &Options::default(), &stop, &mut |event| {
        progress.show(&event);
        if let Event::Recorded {
            kernel,
            record,
            judged,
            stages,
        } = event
        {
            findings[kernel].push(Finding {
                record: *record,
                judged,
                stages,
                view: View::Trail,
            });
        }
    });
    if !complete {
        bail!("interrupted");
    }
    Ok(findings)
}
