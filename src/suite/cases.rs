//! Generated cases on one kernel, counted.

use std::ops::{ControlFlow, Range};
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

/// How many cases in a row may take a guest with them each, before the rest is not played.
const LOST_IN_A_ROW: u32 = 3;

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
    /// Cases that were not played: the guests broke down before, or one said that it was done.
    pub unplayed: u64,
    /// How often each rule of the model was applied.
    pub reach: Reach,
    /// What the model was told of each start, where that was wanted.
    pub kept: Vec<Kept>,
    /// What is to be said that is no result: of states that are not as they were kept.
    pub notes: Vec<String>,
}

impl Tally {
    /// Takes what a guest says of a case; its seed.
    fn hear(&mut self, message: Message) -> Option<u64> {
        let Message::Case {
            seed,
            result,
            shrunk,
            reach,
            kept,
        } = message
        else {
            return None;
        };
        self.reach.add(&reach.into());
        let kept = kept.into_iter().map(serde_json::from_value);
        match kept.collect::<serde_json::Result<Vec<_>>>() {
            Ok(kept) => self.kept.extend(kept),
            Err(error) => self.notes.push(format!("case {seed} is not kept: {error}")),
        }
        self.add(seed, result, shrunk);
        Some(seed)
    }

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
        if self.unplayed > 0 {
            text.push_str(&format!(
                "{} further cases were not played\n",
                self.unplayed
            ));
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
        let mut left = Left::of(cases.seeds.clone());
        while !left.seeds.is_empty() && !stop.is_asked_for() {
            left.boot();
            let count = u32::try_from(left.seeds.end - left.seeds.start).unwrap_or(u32::MAX);
            let errand = Errand {
                load: &self.whole(),
                plan: GuestPlan {
                    job: Job::Cases {
                        seeds: left.seeds.clone(),
                        keep: cases.keep,
                    },
                    ..GuestPlan::default()
                },
                limit: options.boot + PATIENCE * count,
            };
            let mut notes = Vec::new();
            let mut heard = |message| {
                left.hear(&message);
                if let Some(seed) = tally.hear(message) {
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
            if left.end(end, &mut tally).is_break() {
                break;
            }
        }
        tally
    }
}

/// What is left to play on a kernel, from one boot to the next.
struct Left {
    seeds: Range<u64>,
    /// This boot came to a case.
    started: bool,
    /// How many cases in a row took their guests with them.
    lost: u32,
}

impl Left {
    fn of(seeds: Range<u64>) -> Left {
        Left {
            seeds,
            started: false,
            lost: 0,
        }
    }

    /// A guest is booted.
    fn boot(&mut self) {
        self.started = false;
    }

    fn hear(&mut self, message: &Message) {
        match message {
            Message::Started { .. } => self.started = true,
            Message::Case { seed, .. } => {
                self.seeds.start = seed + 1;
                self.lost = 0;
            }
            _ => {}
        }
    }

    /// The guest has ended so: takes the case out that it has taken with it, and says whether another guest is to go on.
    fn end(&mut self, end: Result<(), Breakdown>, tally: &mut Tally) -> ControlFlow<()> {
        let (reason, goes_on) = match end {
            Err(Breakdown::Broken(reason)) => {
                self.lost += 1;
                // Where a guest comes to none, or one after the other takes it down, the kernel is of no use.
                (reason, self.started && self.lost < LOST_IN_A_ROW)
            }
            Ok(()) if !self.seeds.is_empty() => {
                let reason = "the guest said that it is done before this case and the rest";
                (reason.to_owned(), false)
            }
            _ => return ControlFlow::Break(()),
        };
        tally.broken.push((self.seeds.start, reason));
        self.seeds.start += 1;
        if goes_on {
            return ControlFlow::Continue(());
        }
        tally.unplayed = self.seeds.end.saturating_sub(self.seeds.start);
        ControlFlow::Break(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What becomes of the cases 0 to 9 where these take their guests with them, and how many guests there are.
    fn played(deadly: &[u64]) -> (Tally, u32) {
        let (mut tally, mut left) = (Tally::default(), Left::of(0..10));
        for boots in 1.. {
            left.boot();
            let end = guest(deadly, &mut left, &mut tally);
            if left.end(end, &mut tally).is_break() || left.seeds.is_empty() {
                return (tally, boots);
            }
        }
        unreachable!("there is an end of cases")
    }

    /// A guest plays what is left until a case takes it down.
    fn guest(deadly: &[u64], left: &mut Left, tally: &mut Tally) -> Result<(), Breakdown> {
        for seed in left.seeds.clone() {
            let scenario = format!("case {seed}");
            left.hear(&Message::Started { scenario });
            if deadly.contains(&seed) {
                return Err(Breakdown::Broken("a panic".to_owned()));
            }
            let case = Message::Case {
                seed,
                result: Ok(None),
                shrunk: None,
                reach: BTreeMap::new(),
                kept: Vec::new(),
            };
            left.hear(&case);
            tally.hear(case);
        }
        Ok(())
    }

    #[test]
    fn what_comes_behind_cases_that_take_guests_with_them_is_played() {
        for (deadly, guests) in [(&[0][..], 2), (&[5, 6], 3), (&[3, 4, 6, 7], 5), (&[9], 1)] {
            let (tally, boots) = played(deadly);
            let broken: Vec<_> = tally.broken.iter().map(|(seed, _)| *seed).collect();
            assert_eq!(broken, deadly);
            assert_eq!((tally.empty, tally.unplayed), (10 - deadly.len(), 0));
            assert_eq!(boots, guests, "{deadly:?}");
        }
    }

    #[test]
    fn a_kernel_that_no_case_survives_is_given_up_and_the_rest_is_counted() {
        let (tally, boots) = played(&[2, 3, 4, 5, 6]);
        assert_eq!((boots, tally.broken.len(), tally.unplayed), (3, 3, 5));
        assert!(
            tally
                .complaints()
                .ends_with("5 further cases were not played\n")
        );
    }

    #[test]
    fn a_guest_that_comes_to_no_case_is_not_booted_again() {
        let (mut tally, mut left) = (Tally::default(), Left::of(0..10));
        left.boot();
        let end = Err(Breakdown::Broken("no boot".to_owned()));
        assert!(left.end(end, &mut tally).is_break());
        assert_eq!((tally.broken.len(), tally.unplayed), (1, 9));
    }

    #[test]
    fn who_stops_leaves_nothing_to_complain_of() {
        let (mut tally, mut left) = (Tally::default(), Left::of(0..10));
        assert!(left.end(Err(Breakdown::Interrupted), &mut tally).is_break());
        assert_eq!(tally.complaints(), "");
    }
}
