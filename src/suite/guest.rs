//! One kernel's part of a run: its passes, and the boots of each.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use super::machine::{Ears, Errand};
use super::pass::{Boots, Pass};
use super::run::{Options, RunEvent, Suite};
use super::{ReadyKernel, Stop};
use crate::observer::{self, Kind};
use crate::scenario::Registered;
use crate::trail::Outcome;
use crate::view::{Record, ViewSeen};
use crate::vm::image::Load;
use crate::vm::session::{Breakdown, Patience};
use crate::wire::{Ask, GuestPlan, Job, Message};

/// One kernel's part of a run.
pub(super) struct Guest<'a> {
    /// What all boots have in common.
    pub suite: &'a Suite,
    /// What is booted.
    pub target: &'a ReadyKernel,
    /// Its index in the call.
    pub kernel: usize,
    /// How the run is made.
    pub options: &'a Options,
}

type Scenarios = VecDeque<&'static Registered>;

/// Takes the record of a scenario, which need not be one that [`Registered::find`] knows.
type Take<'a> = dyn FnMut(&'static Registered, Record) + 'a;

/// The scenarios of a pass that share what their guests carry.
struct Queue {
    all: Scenarios,
    /// Those that have not had their turn.
    left: Scenarios,
}

impl Guest<'_> {
    /// Runs scenarios, in as many passes as the observers need that share no boot.
    pub fn run(
        &self,
        scenarios: &[&'static Registered],
        stop: &Stop,
        sender: &mpsc::Sender<RunEvent>,
    ) {
        let observe = self.options.observed(&self.target.id);
        let names = observe.iter();
        let kinds: Vec<_> = names.filter_map(|name| Kind::find(name.as_str())).collect();
        let boots = observer::boots(&kinds);
        let mut records: Vec<Record> = Vec::new();
        for (number, observers) in (1..).zip(&boots) {
            let place = (number, boots.len());
            let pass = Pass::new(observers, place, self.boots(observers));
            let applies =
                |scenario: &&&'static Registered| number == 1 || !pass.further(scenario).is_empty();
            let own: Vec<_> = scenarios.iter().filter(applies).copied().collect();
            let mut keep = |scenario: &'static Registered, record: Record| {
                let mut known = records.iter_mut();
                match known.find(|known| known.scenario == record.scenario) {
                    Some(known) => self.join(known, &record, (&pass, scenario)),
                    None => records.push(record),
                }
                if boots.len() == 1 {
                    records
                        .drain(..)
                        .for_each(|record| self.send(sender, record));
                }
            };
            for (name, group) in self.groups(&pass, &own) {
                let told = pass.told(name);
                self.pass((&pass, told), group, stop, sender, &mut keep);
            }
        }
        records
            .into_iter()
            .for_each(|record| self.send(sender, record));
    }

    /// Splits the scenarios of a pass by guest.
    ///
    /// With saved states, scenarios that want further observers and those that want the trail alone run in separate guests,
    /// so that the latter are not slowed down; that group has a name.
    fn groups(
        &self,
        pass: &Pass<'_>,
        own: &[&'static Registered],
    ) -> Vec<(Option<&'static str>, Scenarios)> {
        if !self.suite.is_warm(self.target, self.options) {
            return vec![(None, own.iter().copied().collect())];
        }
        let all = own.iter().copied();
        let (further, alone): (Scenarios, Scenarios) =
            all.partition(|scenario| !pass.further(scenario).is_empty());
        let name = (!further.is_empty()).then_some("scenarios with a trail alone");
        let mut groups = vec![(None, further), (name, alone)];
        // Those of the first scenario come first.
        if own
            .first()
            .is_some_and(|first| pass.further(first).is_empty())
        {
            groups.reverse();
        }
        groups.retain(|(_, group)| !group.is_empty());
        groups
    }

    /// Runs scenarios under some observers, with a boot more for each that takes its guest down.
    fn pass(
        &self,
        (pass, part): (&Pass<'_>, Option<String>),
        mut left: Scenarios,
        stop: &Stop,
        sender: &mpsc::Sender<RunEvent>,
        take: &mut Take<'_>,
    ) {
        left.retain(|scenario| match self.suite.loads.get(scenario.name) {
            Some(Err(reason)) => {
                let seen = vec![ViewSeen::no_trail(Outcome::Broken, reason.clone())];
                take(scenario, self.record(scenario, seen));
                false
            }
            _ => true,
        });
        let all = left.clone();
        let mut queue = Queue { all, left };
        let mut told = false;
        while !queue.left.is_empty() && !stop.is_asked_for() {
            // A pass with a boot for each scenario is told once.
            if !(told && self.boots(pass.observers) == Boots::OneEach) {
                let _ = sender.send(RunEvent::Booting {
                    kernel: self.kernel,
                    part: part.clone(),
                });
                told = true;
            }
            let before = queue.left.len();
            let mut running = None;
            let reason = match self.boot(pass, &mut queue, &mut running, stop, sender, take) {
                Err(Breakdown::Broken(reason)) => reason,
                // A guest that does nothing would be booted for ever.
                Ok(()) if queue.left.len() == before => {
                    "the guest said that everything was done, and nothing was".to_owned()
                }
                _ => continue,
            };
            let lost = lost(&mut queue.left, before, running.as_deref());
            if lost.is_empty() {
                let (kernel, label) = (self.kernel, self.target.label());
                let first = reason.lines().next().unwrap_or_default();
                let text = format!("the guest of {label} ended between scenarios: {first}");
                let _ = sender.send(RunEvent::Note { kernel, text });
            }
            for scenario in lost {
                let seen = vec![ViewSeen::no_trail(Outcome::Broken, reason.clone())];
                take(scenario, self.record(scenario, seen));
            }
        }
    }

    fn boot(
        &self,
        pass: &Pass<'_>,
        queue: &mut Queue,
        running: &mut Option<String>,
        stop: &Stop,
        sender: &mpsc::Sender<RunEvent>,
        take: &mut Take<'_>,
    ) -> Result<(), Breakdown> {
        let (load, mut together) = self.together(queue);
        if self.boots(pass.observers) == Boots::OneEach {
            together.truncate(1);
        }
        let mut hearing = Hearing {
            guest: self,
            pass,
            left: &mut queue.left,
            running,
            release: self.target.release.clone(),
            sender,
            take,
        };
        let errand = Errand {
            load: &load,
            plan: self.plan(pass, &together),
            limit: self.limit(&together),
        };
        let kernel = self.kernel;
        let mut ears = Ears {
            heard: &mut |message| hearing.hear(message),
            told: &mut |text| drop(sender.send(RunEvent::Note { kernel, text })),
        };
        self.suite
            .follow(self.target, &errand, self.options, stop, &mut ears)
    }

    /// What a guest is told to do.
    fn plan(&self, pass: &Pass<'_>, scenarios: &[&'static Registered]) -> GuestPlan {
        let asks = scenarios.iter().map(|scenario| Ask {
            output: self.options.output,
            ..pass.ask(scenario)
        });
        let deadlines = self.options.deadlines.iter();
        let brought = self.suite.brought.as_ref();
        GuestPlan {
            job: Job::Scenarios(asks.collect()),
            faults: self.options.faults.clone(),
            deadlines_ms: deadlines
                .map(|(name, time)| (name.clone(), time.as_millis() as u64))
                .collect(),
            agent: brought.map(|brought| brought.agent.clone()),
        }
    }

    /// How long a guest with these scenarios may take, from its start to its end.
    fn limit(&self, scenarios: &[&'static Registered]) -> Duration {
        let all = scenarios.iter().map(|scenario| self.patience(scenario));
        all.sum::<Duration>() + self.options.boot + self.agent() + self.options.grace
    }

    /// How long a guest may be silent while a scenario runs.
    fn patience(&self, scenario: &Registered) -> Duration {
        let own = self.options.deadlines.get(scenario.name);
        own.copied().unwrap_or(scenario.scenario.deadline) + self.options.grace
    }

    /// How long an agent may take to be ready.
    fn agent(&self) -> Duration {
        let brought = self.suite.brought.as_ref();
        brought.map_or(Duration::ZERO, |brought| brought.agent.ready())
    }

    /// How many boots a pass has: where the kernel does not have what the one of each scenario is for, they share one.
    fn boots(&self, observers: &[&Kind]) -> Boots {
        let modules: Vec<_> = self.target.modules.keys().map(String::as_str).collect();
        let facts = self.facts(&modules);
        let has = |kind: &&Kind| {
            let mut needs = kind.needs.iter();
            needs.all(|need| need.on_host(&facts) != Some(false))
        };
        let mut once = observers.iter().filter(|kind| kind.is_asked_once());
        match once.any(has) {
            true => Boots::OneEach,
            false => Boots::Shared,
        }
    }

    /// What the next boot carries, and who of those that are left shares it: those that say nothing of it share the
    /// fixture with the parts that all of them declare, also those that had their boot.
    fn together(&self, queue: &Queue) -> (Load, Vec<&'static Registered>) {
        let Queue { all, left } = queue;
        let loads = &self.suite.loads;
        let own = |scenario: &Registered| loads.get(scenario.name)?.as_ref().ok();
        let first = left.front().and_then(|scenario| own(scenario));
        let same = |scenario: &&&'static Registered| own(scenario) == first;
        let parts = all.iter().filter(same).flat_map(|one| one.scenario.parts);
        let together: Vec<_> = left.iter().filter(same).copied().collect();
        let brought = self.suite.brought.as_ref().map(|brought| &brought.load);
        let load = first.or(brought).cloned();
        let load = load.unwrap_or_else(|| Load::with(parts.copied()));
        (load, together)
    }

    fn send(&self, sender: &mpsc::Sender<RunEvent>, record: Record) {
        // A receiver that is gone wants nothing more.
        let _ = sender.send(RunEvent::Recorded {
            kernel: self.kernel,
            record: Box::new(record),
        });
    }
}

/// What is kept in mind while a guest speaks.
struct Hearing<'h, 'a, 't> {
    guest: &'h Guest<'a>,
    pass: &'h Pass<'h>,
    /// The scenarios that have not had their turn.
    left: &'h mut Scenarios,
    /// The one that runs.
    running: &'h mut Option<String>,
    /// Of the kernel, as the guest says it.
    release: String,
    sender: &'h mpsc::Sender<RunEvent>,
    take: &'h mut Take<'t>,
}

impl Hearing<'_, '_, '_> {
    /// How long the guest may be silent after this message.
    fn hear(&mut self, message: Message) -> Patience {
        let grace = self.guest.options.grace;
        match message {
            Message::Hello { release, .. } => {
                self.release = release;
                // An agent is started now.
                Some(self.guest.agent() + grace)
            }
            Message::Started { scenario } => {
                let mut left = self.left.iter();
                let found = left.find(|registered| registered.name == scenario);
                let patience = found.map_or(grace, |found| self.guest.patience(found));
                *self.running = Some(scenario.clone());
                let _ = self.sender.send(RunEvent::Running {
                    kernel: self.guest.kernel,
                    scenario,
                });
                Some(patience)
            }
            Message::Finished {
                scenario,
                seen,
                model,
                output,
            } => {
                *self.running = None;
                if let Some(registered) = remove(self.left, &scenario) {
                    let seen = self.guest.judge(registered, self.pass, seen);
                    let mut record = self.guest.record(registered, seen);
                    record.kernel.set_release(&self.release);
                    record.model = record.trail().and(model);
                    record.output = output;
                    (self.take)(registered, record);
                }
                Some(grace)
            }
            _ => Some(grace),
        }
    }
}

fn remove(left: &mut Scenarios, name: &str) -> Option<&'static Registered> {
    let place = left.iter().position(|scenario| scenario.name == name)?;
    left.remove(place)
}

/// Takes out those that a guest has taken with it: the one that ran, none between two, and all of them where it came to
/// none of the `before` that it was to run.
fn lost(left: &mut Scenarios, before: usize, running: Option<&str>) -> Scenarios {
    match running.and_then(|name| remove(left, name)) {
        Some(scenario) => [scenario].into(),
        None if running.is_none() && left.len() < before => Scenarios::new(),
        None => std::mem::take(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_ends_between_scenarios_takes_none_with_it() {
        let all = || {
            crate::scenario::select(&[])
                .unwrap()
                .into_iter()
                .take(2)
                .collect::<Scenarios>()
        };
        let names = |scenarios: Scenarios| scenarios.iter().map(|one| one.name).collect::<Vec<_>>();
        let [first, second] = [0, 1].map(|place| all()[place].name);
        assert_eq!(names(lost(&mut all(), 3, None)), [""; 0]);
        assert_eq!(names(lost(&mut all(), 3, Some(second))), [second]);
        assert_eq!(names(lost(&mut all(), 2, None)), [first, second]);
    }
}
