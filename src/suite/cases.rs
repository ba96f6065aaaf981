//! Generated cases on one kernel, counted.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::machine::{Ears, Errand};
use super::{Options, ReadyKernel, Stop, Suite};
use crate::case;
use crate::cases::kept::Kept;
use crate::model::Reach;
use crate::trail::Agreement;
use crate::vm::session::Breakdown;
use crate::wire::{GuestPlan, Job, Message, Shrunk};

/// How long a case may take, with all smaller ones that are tried when the model disagrees.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which cases are played.
#[derive(Clone, Debug)]
pub struct Cases {
    /// One seed a case.
    pub seeds: Range<u64>,
    /// What the model was told is kept; nothing is made smaller then.
    pub keep: bool,
}

/// What became of the cases of one kernel.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases that the model agreed with.
    pub agreed: usize,
    /// Cases that could not begin, as where a file that they open is not there.
    pub empty: usize,
    /// Everything that the model predicted.
    pub predicted: Agreement,
    /// Cases in whose loader's part something is not predicted.
    pub unknown: usize,
    /// Seeds of cases that the model disagreed with, and the smallest such case of each.
    pub disagreed: Vec<(u64, Shrunk)>,
    /// Seeds of cases that broke, with the reason.
    pub broken: Vec<(u64, String)>,
    /// How often each rule of the model was applied.
    pub reach: Reach,
    /// What the model was told of each start, where that was wanted.
    pub kept: Vec<Kept>,
    /// What is to be said that is no result: of states that are not as they were kept.
    pub notes: Vec<String>,
}

impl Tally {
    fn add(
        &mut self,
        seed: u64,
        result: Result<Option<Agreement>, String>,
        shrunk: Option<Shrunk>,
    ) {
        match (result, shrunk) {
            (Err(reason), _) => self.broken.push((seed, reason)),
            (Ok(None), _) => self.empty += 1,
            (Ok(Some(found)), shrunk) => {
                self.unknown += usize::from(!found.unknown.is_empty());
                match shrunk {
                    Some(shrunk) => self.disagreed.push((seed, shrunk)),
                    None => self.agreed += 1,
                }
                self.predicted.add(found);
            }
        }
    }

    /// How many cases there were in which something was started.
    #[must_use]
    pub fn started(&self) -> usize {
        self.agreed + self.disagreed.len()
    }

    /// What is wrong, with the smallest case of each disagreement as a scenario; nothing when all
    /// is well.
    #[must_use]
    pub fn complaints(&self) -> String {
        let mut text = String::new();
        for (seed, shrunk) in &self.disagreed {
            let found = shrunk.disagreements.join("\n  ");
            let trail = shrunk.trail.trim_end().replace('\n', "\n  ");
            text.push_str(&format!(
                "the model disagrees, seed {seed}:\n  {found}\nwhat was seen:\n  {trail}\n\
                 the smallest such case, as a case file:\n{}\n",
                case::print(&shrunk.case).unwrap_or_else(|error| format!("{error:#}"))
            ));
        }
        for (seed, reason) in &self.broken {
            text.push_str(&format!("case {seed} is broken: {reason}\n"));
        }
        text
    }

    /// In how many of them the model agreed, in per cent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        100.0 * self.agreed as f64 / self.started().max(1) as f64
    }
}

impl Suite {
    /// Plays the cases of these seeds on kernels, several side by side; `done` hears of each kernel.
    pub fn play(
        &self,
        targets: &[ReadyKernel],
        cases: &Cases,
        options: &Options,
        stop: &Stop,
        progress: &(dyn Fn(&ReadyKernel, u64) + Sync),
        done: &mut dyn FnMut(usize, Tally),
    ) {
        let next = AtomicUsize::new(0);
        let (sender, tallies) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..options.jobs.clamp(1, targets.len().max(1)) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(target) = targets.get(place) else {
                            return;
                        };
                        let tally = self.cases(target, cases, options, stop, &mut |seed| {
                            progress(target, seed);
                        });
                        // A receiver that is gone wants nothing more.
                        let _ = sender.send((place, tally));
                    }
                });
            }
            drop(sender);
            for (place, tally) in tallies {
                done(place, tally);
            }
        });
    }

    /// Plays them on one kernel; a case that takes the guest with it is broken,
    /// and the others go on in a fresh boot.
    fn cases(
        &self,
        target: &ReadyKernel,
        cases: &Cases,
        options: &Options,
        stop: &Stop,
        progress: &mut dyn FnMut(u64),
    ) -> Tally {
        let mut tally = Tally::default();
        let mut left = cases.seeds.clone();
        while !left.is_empty() && !stop.is_asked_for() {
            let plan = GuestPlan {
                job: Job::Cases {
                    seeds: left.clone(),
                    keep: cases.keep,
                },
                ..GuestPlan::default()
            };
            let first = left.start;
            let count = u32::try_from(left.end - first).unwrap_or(u32::MAX);
            let errand = Errand {
                load: &self.whole(),
                plan,
                limit: options.boot + PATIENCE * count,
            };
            let mut notes = Vec::new();
            let mut heard = |message| {
                if let Message::Case {
                    seed,
                    result,
                    shrunk,
                    reach,
                    kept,
                } = message
                {
                    left.start = seed + 1;
                    tally.reach.add(&reach.into());
                    let kept = kept.into_iter().map(serde_json::from_value);
                    match kept.collect::<serde_json::Result<Vec<_>>>() {
                        Ok(kept) => tally.kept.extend(kept),
                        Err(error) => tally
                            .notes
                            .push(format!("case {seed} is not kept: {error}")),
                    }
                    tally.add(seed, result, shrunk);
                    progress(seed);
                }
                Some(PATIENCE)
            };
            let mut ears = Ears {
                heard: &mut heard,
                told: &mut |text| notes.push(text),
            };
            let end = self.follow(target, &errand, options, stop, &mut ears);
            tally.notes.extend(notes);
            match end {
                Err(Breakdown::Broken(reason)) if left.start == first => {
                    // Not even one: this kernel is of no use.
                    tally.broken.push((first, reason));
                    break;
                }
                Err(Breakdown::Broken(reason)) => {
                    tally.broken.push((left.start, reason));
                    left.start += 1;
                }
                Ok(()) if !left.is_empty() => {
                    let reason = "the guest said that it is done before this case and the rest";
                    tally.broken.push((left.start, reason.to_owned()));
                    break;
                }
                _ => break,
            }
        }
        tally
    }
}
