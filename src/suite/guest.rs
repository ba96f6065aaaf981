//! One kernel's part of a run: its boots, and what its guests say as records.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use super::inside::judge_inside;
use super::judge::{Judged, judge};
use super::run::{Event, Options, Suite};
use super::{Stop, Target};
use crate::scenario::{KernelFacts, Registered, own_capabilities};
use crate::stages::Packed;
use crate::trail::{Inside, Outcome, Record, SCHEMA, Trail};
use crate::vm::session::Breakdown;
use crate::wire::{Failure, Job, Message, Plan};

/// One kernel's part of a run.
pub(super) struct Guest<'a> {
    /// What all boots have in common.
    pub suite: &'a Suite,
    /// What is booted.
    pub target: &'a Target,
    /// Its index in the call.
    pub kernel: usize,
    /// How the run is made.
    pub options: &'a Options,
}

impl Guest<'_> {
    /// Runs scenarios, with a boot more for each that takes its guest down.
    pub fn run(
        &self,
        scenarios: &[&'static Registered],
        stop: &Stop,
        sender: &mpsc::Sender<Event>,
    ) {
        let mut left: VecDeque<&'static Registered> = scenarios.iter().copied().collect();
        while !left.is_empty() && !stop.is_asked_for() {
            let _ = sender.send(Event::Booting {
                kernel: self.kernel,
            });
            let before = left.len();
            let mut running = None;
            let end = self.boot(&mut left, &mut running, stop, sender);
            let Err(Breakdown::Broken(reason)) = end else {
                continue;
            };
            // The scenario that ran pays; when none did, this kernel is of no use at all.
            let lost = match running {
                Some(running) => left.iter().position(|scenario| scenario.name == running),
                None if left.len() < before => continue,
                None => None,
            };
            let lost = match lost {
                Some(place) => left.remove(place).into_iter().collect(),
                None => std::mem::take(&mut left),
            };
            for scenario in lost {
                let record = self.failed(scenario, Outcome::Broken, reason.clone());
                self.send(sender, record, (None, None));
            }
        }
    }

    fn boot(
        &self,
        left: &mut VecDeque<&'static Registered>,
        running: &mut Option<String>,
        stop: &Stop,
        sender: &mpsc::Sender<Event>,
    ) -> Result<(), Breakdown> {
        let plan = Plan {
            job: Job::Scenarios(
                left.iter()
                    .map(|scenario| scenario.name.to_owned())
                    .collect(),
            ),
            faults: self.options.faults.clone(),
            deadline_ms: self.options.deadline.map(|time| time.as_millis() as u64),
            tracing: self.options.tracing,
        };
        let grace = self.options.grace;
        let limit = left
            .iter()
            .map(|scenario| scenario.scenario.deadline + grace);
        let limit = limit.sum::<Duration>() + self.options.boot;
        let mut release = self.target.release.clone();
        let mut heard = |message| match message {
            Message::Hello { release: seen, .. } => {
                release = seen;
                Some(grace)
            }
            Message::Started { scenario } => {
                let found = left.iter().find(|registered| registered.name == scenario);
                let own = found.map_or(Duration::ZERO, |found| found.scenario.deadline);
                let patience = self.options.deadline.unwrap_or(own) + grace;
                *running = Some(scenario.clone());
                let _ = sender.send(Event::Running {
                    kernel: self.kernel,
                    scenario,
                });
                Some(patience)
            }
            Message::Finished {
                scenario,
                result,
                model,
                inside,
            } => {
                *running = None;
                if let Some(place) = left.iter().position(|found| found.name == scenario)
                    && let Some(registered) = left.remove(place)
                {
                    let (mut record, judged) = self.judge(registered, result.map(|trail| *trail));
                    record.kernel.release.clone_from(&release);
                    record.model = model;
                    let stages = self.judge_inside(&mut record, judged.is_some(), inside);
                    self.send(sender, record, (judged, stages));
                }
                Some(grace)
            }
            _ => Some(grace),
        };
        self.suite
            .follow(self.target, &plan, self.options, limit, stop, &mut heard)
    }

    fn judge(
        &self,
        registered: &'static Registered,
        result: Result<Trail, Failure>,
    ) -> (Record, Option<Judged>) {
        let facts = self.facts();
        let needs = registered.scenario.needs.iter();
        let unmet: Vec<_> = needs
            .filter(|need| need.on_host(&facts) == Some(false))
            .map(|need| need.what.to_owned())
            .collect();
        match result {
            Ok(trail) if unmet.is_empty() => {
                let (store, lineage) = (&self.suite.store, &self.suite.lineage);
                let judged = judge(store, lineage, &self.target.id, registered.name, &trail);
                let reason = judged.reason.clone();
                let record = Record {
                    trail,
                    ..self.failed(registered, judged.outcome, String::new())
                };
                (Record { reason, ..record }, Some(judged))
            }
            Ok(_) => {
                let reason = format!(
                    "by its configuration this kernel lacks {}, but the scenario ran",
                    unmet.join(", ")
                );
                (self.failed(registered, Outcome::Broken, reason), None)
            }
            Err(Failure::Unsupported(missing)) => {
                // Without a configuration the guest's own word has to do.
                let known = self.target.config.is_some();
                if known && missing != unmet {
                    let reason = format!(
                        "the guest finds no {}, but by its configuration this kernel has it",
                        missing.join(", ")
                    );
                    return (self.failed(registered, Outcome::Broken, reason), None);
                }
                let reason = format!("needs {}", missing.join(", "));
                (self.failed(registered, Outcome::Unsupported, reason), None)
            }
            Err(Failure::Broken(reason)) => {
                (self.failed(registered, Outcome::Broken, reason), None)
            }
        }
    }

    /// Judges the second view, of a scenario that gave a trail.
    fn judge_inside(
        &self,
        record: &mut Record,
        has_trail: bool,
        inside: Option<Result<Packed, Failure>>,
    ) -> Option<Judged> {
        let inside = inside.filter(|_| has_trail)?;
        let own = (&self.suite.store, &self.suite.lineage);
        let target = (self.target, &self.facts());
        let (inside, judged) = judge_inside(own, target, &record.scenario, &record.trail, inside);
        record.inside = inside;
        judged
    }

    fn facts(&self) -> KernelFacts<'_> {
        KernelFacts {
            release: &self.target.upstream,
            config: self.target.config.as_deref(),
            lab: self.target.lab(),
            capabilities: own_capabilities(),
        }
    }

    fn failed(&self, registered: &Registered, outcome: Outcome, reason: String) -> Record {
        Record {
            schema: SCHEMA,
            scenario: registered.name.to_owned(),
            kernel: self.target.info(),
            outcome,
            reason: Some(reason),
            trail: Trail::default(),
            model: None,
            inside: Inside::default(),
        }
    }

    fn send(
        &self,
        sender: &mpsc::Sender<Event>,
        record: Record,
        (judged, stages): (Option<Judged>, Option<Judged>),
    ) {
        let record = Box::new(record);
        // A receiver that is gone wants nothing more.
        let _ = sender.send(Event::Recorded {
            kernel: self.kernel,
            record,
            judged,
            stages,
        });
    }
}
