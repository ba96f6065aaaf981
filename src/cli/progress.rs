//! What is seen while guests run: a line a guest on a terminal; elsewhere a line for each boot, its
//! end, and what is not as accepted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output::can_redraw;
use crate::suite::{ReadyKernel, RunEvent};
use crate::trail::{LabKind, Outcome};
use crate::view::Record;

/// How long nothing is said of a kernel whose scenarios go on, where nobody sees a bar.
const QUIET: Duration = Duration::from_secs(30);

/// How far a kernel is.
#[derive(Clone)]
struct Done {
    /// Why the last broken one is so.
    reason: Option<String>,
    records: usize,
    /// When something was said of it last.
    told: Instant,
}

/// Progress on standard error.
pub struct Progress<'a> {
    targets: &'a [ReadyKernel],
    bars: Option<(MultiProgress, BTreeMap<usize, ProgressBar>)>,
    /// How far each kernel is.
    done: Vec<Done>,
    scenarios: usize,
}

impl<'a> Progress<'a> {
    /// Shows nothing yet.
    #[must_use]
    pub fn new(targets: &'a [ReadyKernel], scenarios: usize) -> Progress<'a> {
        let bars = can_redraw().then(|| (MultiProgress::new(), BTreeMap::new()));
        Progress {
            targets,
            bars,
            done: vec![
                Done {
                    reason: None,
                    records: 0,
                    told: Instant::now(),
                };
                targets.len()
            ],
            scenarios,
        }
    }

    /// Shows what happens.
    pub fn show(&mut self, event: &RunEvent) {
        match &mut self.bars {
            Some((all, bars)) => bar(all, bars, self.targets, self.scenarios, event),
            None => line(self.targets, &mut self.done, self.scenarios, event),
        }
    }
}

fn bar(
    all: &MultiProgress,
    bars: &mut BTreeMap<usize, ProgressBar>,
    targets: &[ReadyKernel],
    scenarios: usize,
    event: &RunEvent,
) {
    match event {
        RunEvent::Booting { kernel, part } => {
            let bar = bars.entry(*kernel).or_insert_with(|| {
                let bar = all.add(ProgressBar::new(scenarios as u64));
                // The template is a constant: when it were wrong, the default would do.
                if let Ok(style) = ProgressStyle::with_template("{prefix:>6} {bar:20} {msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(targets[*kernel].label());
                bar
            });
            bar.set_message(part.clone().unwrap_or_else(|| "booting".to_owned()));
        }
        RunEvent::Running { kernel, scenario } => {
            if let Some(bar) = bars.get(kernel) {
                bar.set_message(scenario.clone());
            }
        }
        RunEvent::Recorded { kernel, .. } => {
            if let Some(bar) = bars.get(kernel) {
                bar.inc(1);
            }
        }
        RunEvent::Note { text, .. } => {
            // Where it cannot be printed, nobody reads.
            let _ = all.println(format!("note: {text}"));
        }
        RunEvent::Ended { kernel } => {
            if let Some(bar) = bars.remove(kernel) {
                bar.finish_and_clear();
            }
        }
    }
}

fn line(targets: &[ReadyKernel], done: &mut [Done], scenarios: usize, event: &RunEvent) {
    match event {
        RunEvent::Booting { kernel, part } => {
            let target = &targets[*kernel];
            let doing = match target.lab() {
                LabKind::Vm => "booting",
                LabKind::Native => "running on",
            };
            let part = part.as_ref().map(|part| format!(" ({part})"));
            let part = part.unwrap_or_default();
            tell!("{}: {doing} {}{part}", target.label(), target.release);
            done[*kernel].told = Instant::now();
        }
        RunEvent::Recorded { kernel, record, .. } => {
            let done = &mut done[*kernel];
            done.records += 1;
            if done.told.elapsed() > QUIET {
                let label = targets[*kernel].label();
                tell!("{label}: {} of {scenarios} scenarios so far", done.records);
                done.told = Instant::now();
            }
            let outcome = record.outcome();
            if outcome.badness() > Outcome::Unsupported.badness() {
                let label = targets[*kernel].label();
                let reason = reason(record).filter(|_| outcome == Outcome::Broken);
                match reason.filter(|reason| done.reason.as_ref() != Some(reason)) {
                    Some(reason) => {
                        tell!("{label}: {} {outcome}: {reason}", record.scenario);
                        done.reason = Some(reason);
                    }
                    None => tell!("{label}: {} {outcome}", record.scenario),
                }
            }
        }
        RunEvent::Note { text, .. } => tell!("note: {text}"),
        // One scenario is shown at once.
        RunEvent::Ended { kernel } if scenarios > 1 => {
            let label = targets[*kernel].label();
            tell!(
                "{label}: {} of {scenarios} scenarios",
                done[*kernel].records
            );
        }
        RunEvent::Running { .. } | RunEvent::Ended { .. } => {}
    }
}

/// The first line of why a record is as bad as it is.
fn reason(record: &Record) -> Option<String> {
    let worst = record.outcome();
    let seen = record.seen.iter().find(|seen| seen.outcome == worst)?;
    let first = seen.reason.as_deref()?.lines().next()?;
    Some(first.trim_end_matches(':').to_owned())
}
