//! What becomes of a trial that has nothing to look at, because its view or the trail below it did not come.
//!
//! What is broken fails once: by the trial of the view that broke, which has all of the reason; by the others only where
//! that one is not run, as when they alone are named.

use exetrail::trail::{KernelInfo, LabKind, Outcome};
use exetrail::view::{Record, STAGES, TRAIL, ViewName, ViewSeen, label};
use libtest_mimic::{Completion, Failed};

/// Ignores the trial of this view or fails it; `is_told` says which views have a trial in this run.
pub fn unseen(
    record: &Record,
    view: ViewName,
    is_told: impl Fn(ViewName) -> bool,
) -> Result<Completion, Failed> {
    let seen = record.of(view).or_else(|| record.of(TRAIL));
    let seen = seen.ok_or("there is no trail")?;
    let (name, outcome) = (seen.view, seen.outcome);
    let reason = seen.reason.as_deref().unwrap_or_default();
    let first = reason.lines().next().unwrap_or_default();
    match outcome {
        Outcome::Broken if !is_told(name) => {
            let told = label(&record.scenario, name);
            let kernel = record.kernel.label();
            Err(format!("{name} is broken: {first}; {kernel}::{told} tells more").into())
        }
        Outcome::Broken | Outcome::Unsupported => Ok(Completion::ignored_with(format!(
            "{name} is {outcome}: {first}"
        ))),
        _ => Ok(Completion::ignored_with(format!("{view} was not recorded"))),
    }
}

/// A guest that died leaves the trail's place alone: whoever is run beside the trail's trial is ignored, and fails where
/// he is run without it.
pub fn is_told_once() -> Result<(), Failed> {
    let record = |outcome| Record {
        scenario: "start/normal".into(),
        kernel: KernelInfo::of("6.12", "6.12.1", LabKind::Vm),
        seen: vec![ViewSeen::no_trail(outcome, "the kernel panicked\nlines")],
        model: None,
        output: Vec::new(),
    };
    let ran = |outcome, told: &[ViewName]| {
        let told = |view| told.contains(&view);
        let ran = unseen(&record(outcome), STAGES, told)?;
        Ok::<_, Failed>(matches!(ran, Completion::Ignored { .. }))
    };
    let failed = match ran(Outcome::Broken, &[STAGES]) {
        Err(failed) => failed.message().unwrap_or_default().to_owned(),
        Ok(_) => return Err("nobody told of a guest that died".into()),
    };
    let beside = ran(Outcome::Broken, &[TRAIL, STAGES])?;
    let unsupported = ran(Outcome::Unsupported, &[])?;
    let told = "trail is broken: the kernel panicked; 6.12::start/normal tells more";
    match beside && unsupported && failed == told {
        true => Ok(()),
        false => Err(format!("{beside}, {unsupported}: {failed}").into()),
    }
}
