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

impl Done {
    fn begun() -> Done {
        Done {
            reason: None,
            records: 0,
            told: Instant::now(),
        }
    }
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
            done: vec![Done::begun(); targets.len()],
            scenarios,
        }
    }

    /// Shows what happens.
    pub fn show(&mut self, event: &RunEvent) {
        match &mut self.bars {
            Some((all, bars)) => bar(all, bars, self.targets, self.scenarios, event),
            None => {
                for line in lines(self.targets, &mut self.done, self.scenarios, event) {
                    tell!("{line}");
                }
            }
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
                // The template is a constant; if it were wrong, the default style would do.
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

/// What is said of an event where nobody sees a bar, in lines.
fn lines(
    targets: &[ReadyKernel],
    done: &mut [Done],
    scenarios: usize,
    event: &RunEvent,
) -> Vec<String> {
    match event {
        RunEvent::Booting { kernel, part } => {
            let target = &targets[*kernel];
            let doing = match target.lab() {
                LabKind::Vm => "booting",
                LabKind::Native => "running on",
            };
            let part = part.as_ref().map(|part| format!(" ({part})"));
            let part = part.unwrap_or_default();
            done[*kernel].told = Instant::now();
            vec![format!(
                "{}: {doing} {}{part}",
                target.label(),
                target.release
            )]
        }
        RunEvent::Recorded { kernel, record } => {
            let label = targets[*kernel].label();
            recorded(&label, &mut done[*kernel], scenarios, record)
        }
        RunEvent::Note { text, .. } => vec![format!("note: {text}")],
        // One scenario is shown at once.
        RunEvent::Ended { kernel } if scenarios > 1 => {
            let label = targets[*kernel].label();
            let records = done[*kernel].records;
            vec![format!("{label}: {records} of {scenarios} scenarios")]
        }
        RunEvent::Running { .. } | RunEvent::Ended { .. } => Vec::new(),
    }
}

/// What is said of a record: how many there are, where nothing was said for long, and what is not as accepted, with why
/// it is broken unless that was said of the one before.
fn recorded(label: &str, done: &mut Done, scenarios: usize, record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    done.records += 1;
    if done.told.elapsed() > QUIET {
        lines.push(format!(
            "{label}: {} of {scenarios} scenarios so far",
            done.records
        ));
        done.told = Instant::now();
    }
    let outcome = record.outcome();
    if outcome.badness() > Outcome::Unsupported.badness() {
        let reason = reason(record).filter(|_| outcome == Outcome::Broken);
        let scenario = &record.scenario;
        match reason.filter(|reason| done.reason.as_ref() != Some(reason)) {
            Some(reason) => {
                lines.push(format!("{label}: {scenario} {outcome}: {reason}"));
                done.reason = Some(reason);
            }
            None => lines.push(format!("{label}: {scenario} {outcome}")),
        }
    }
    lines
}

/// The first line of why a record is as bad as it is.
fn reason(record: &Record) -> Option<String> {
    let worst = record.outcome();
    let seen = record.seen.iter().find(|seen| seen.outcome == worst)?;
    let first = seen.reason.as_deref()?.lines().next()?;
    Some(first.trim_end_matches(':').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::record;

    #[test]
    fn what_is_not_as_accepted_is_said_with_a_new_reason_once() {
        let mut done = Done::begun();
        let mut said = |outcome| {
            let record = record("start/a", "6.1", outcome);
            recorded("6.1", &mut done, 3, &record)
        };
        assert_eq!(said(Outcome::Same), [""; 0]);
        assert_eq!(said(Outcome::Unsupported), [""; 0]);
        assert_eq!(said(Outcome::Broken), ["6.1: start/a broken: because"]);
        assert_eq!(said(Outcome::Broken), ["6.1: start/a broken"]);
        assert_eq!(said(Outcome::Changed), ["6.1: start/a changed"]);
        assert_eq!(done.records, 5);
    }

    #[test]
    fn a_kernel_of_which_nothing_was_said_for_long_is_said_to_go_on() {
        let mut done = Done::begun();
        // A machine that has built this is up for longer.
        done.told = Instant::now().checked_sub(2 * QUIET).unwrap();
        let same = record("start/a", "6.1", Outcome::Same);
        let said = recorded("6.1", &mut done, 3, &same);
        assert_eq!(said, ["6.1: 1 of 3 scenarios so far"]);
        assert_eq!(recorded("6.1", &mut done, 3, &same), [""; 0]);
    }

    #[test]
    fn of_several_scenarios_the_end_is_said() {
        let targets = [ReadyKernel::running().unwrap()];
        let said = |scenarios| {
            let ended = RunEvent::Ended { kernel: 0 };
            lines(&targets, &mut [Done::begun()], scenarios, &ended)
        };
        assert_eq!(said(1), [""; 0]);
        assert_eq!(said(2), ["native: 0 of 2 scenarios"]);
        let (kernel, part) = (0, Some("2 of 3".to_owned()));
        let booting = RunEvent::Booting { kernel, part };
        let said = lines(&targets, &mut [Done::begun()], 2, &booting);
        assert!(said[0].starts_with("native: running on "), "{said:?}");
        assert!(said[0].ends_with(" (2 of 3)"), "{said:?}");
    }
}
