//! What every command that boots kernels does first, and a run whose records are wanted as a whole.

use anyhow::{Context as _, Result, bail};

use super::progress::Progress;
use crate::project::Project;
use crate::scenario::Registered;
use crate::suite::{Options, ReadyKernel, RunEvent, Stop, Suite, Work};
use crate::trail::LabKind;
use crate::view::{Record, ViewName};
use crate::vm::session::Breakdown;

/// Prepares runs on these kernels.
///
/// # Errors
///
/// There is none, or what they have in common is not there.
pub fn prepare(project: &Project, targets: &[ReadyKernel], stop: &Stop) -> Result<Suite> {
    // Any kernel that boots shows whether KVM works here; those of the table are known to boot.
    let mut targets = targets.iter();
    let known = targets.clone().find(|target| target.is_of_table());
    let booted = targets.clone().find(|target| target.lab() == LabKind::Vm);
    let Some(trial) = known.or(booted).or_else(|| targets.next()) else {
        bail!(
            "no kernel is fetched: {} fetches all of them",
            project.fetches("").trim_end()
        );
    };
    let program = std::env::current_exe().context("failed to find this program")?;
    Suite::prepare(project, &program, trial, stop)
}

/// The same scenarios on each of these kernels.
#[must_use]
pub fn work(targets: &[ReadyKernel], scenarios: &[&'static Registered]) -> Vec<Work> {
    let work = targets.iter().map(|target| Work {
        target: target.clone(),
        scenarios: scenarios.to_vec(),
    });
    work.collect()
}

/// Runs scenarios on kernels with the observer of one view; one list of records for each target, in
/// its order.
///
/// # Errors
///
/// The run could not be prepared, or the user stopped it.
pub fn observe(
    project: &Project,
    targets: &[ReadyKernel],
    scenarios: &[&'static Registered],
    view: ViewName,
) -> Result<Vec<Vec<Record>>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let stop = Stop::listen()?;
    let suite = prepare(project, targets, &stop)?;
    let options = Options {
        observe: vec![view],
        ..Options::default()
    };
    let mut progress = Progress::new(targets, scenarios.len());
    let mut records = vec![Vec::new(); targets.len()];
    let work = work(targets, scenarios);
    let complete = suite.run(&work, &options, &stop, &mut |event| {
        progress.show(&event);
        if let RunEvent::Recorded { kernel, record } = event {
            records[kernel].push(*record);
        }
    });
    if !complete {
        return Err(Breakdown::Interrupted.into());
    }
    Ok(records)
}

/// Why a record has no body of a view, in words.
#[must_use]
pub fn why(record: &Record, view: ViewName) -> String {
    let seen = record.of(view).or(record.seen.first());
    let Some(seen) = seen else {
        return "nothing was observed".to_owned();
    };
    let reason = seen.reason.as_deref().unwrap_or("no reason was given");
    format!("{}: {reason}", seen.outcome)
}
