//! One kernel's part of a run: its boots, and what its guests say as records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc;
use std::time::Duration;

use super::judge::judge_body;
use super::machine::{Ears, Errand};
use super::run::{Options, RunEvent, Suite};
use super::verdict::{agree, unless_left_out, verdict};
use super::{ReadyKernel, Stop};
use crate::need::Want;
use crate::observer::{self, BOOT, Kind};
use crate::scenario::{KernelFacts, Need, Registered, own_capabilities};
use crate::trail::{Outcome, Trail};
use crate::view::trail::Steps;
use crate::view::{AGENT, Body, Record, TRAIL, VIEWS, ViewName, ViewSeen};
use crate::vm::image::Load;
use crate::vm::session::Breakdown;
use crate::wire::{Ask, Failure, GuestPlan, Job, Lost, Message, Sent, Written};

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

/// The observers of one pass over the scenarios.
struct Pass<'a> {
    observers: &'a [&'static Kind],
    /// Its number and how many there are, with what does not share a boot; none for one alone.
    part: Option<String>,
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
            let own = own(observers, self.is_asked_once(observers));
            let part = format!("boot {number} of {}{own}", boots.len());
            let pass = Pass {
                observers,
                part: (boots.len() > 1).then_some(part),
            };
            let applies =
                |scenario: &&&'static Registered| number == 1 || !pass.further(scenario).is_empty();
            let own: Vec<_> = scenarios.iter().filter(applies).copied().collect();
            let mut keep = |scenario: &'static Registered, record: Record| {
                let mut known = records.iter_mut();
                match known.find(|known| known.scenario == record.scenario) {
                    Some(known) => {
                        let views = pass.further(scenario);
                        match pass.intrudes() {
                            true => self.join_changed(known, &record, &views),
                            false => join(known, &record, &views),
                        }
                    }
                    None => records.push(record),
                }
                if boots.len() == 1 {
                    records
                        .drain(..)
                        .for_each(|record| self.send(sender, record));
                }
            };
            for group in self.groups(&pass, &own) {
                self.pass(&pass, group, stop, sender, &mut keep);
            }
        }
        records
            .into_iter()
            .for_each(|record| self.send(sender, record));
    }

    /// Scenarios that share a guest: where a state has observers set up already, those that want some,
    /// so that the others are not slowed down by them; else all.
    fn groups(&self, pass: &Pass<'_>, own: &[&'static Registered]) -> Vec<Scenarios> {
        let is_warm = self.suite.is_warm(self.target, self.options);
        let mut groups: Vec<(bool, Scenarios)> = Vec::new();
        for scenario in own {
            let wanted = !pass.further(scenario).is_empty();
            match groups
                .iter_mut()
                .find(|(known, _)| !is_warm || *known == wanted)
            {
                Some((_, group)) => group.push_back(scenario),
                None => groups.push((wanted, [*scenario].into())),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// Runs scenarios under some observers, with a boot more for each that takes its guest down.
    fn pass(
        &self,
        pass: &Pass<'_>,
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
            if !(told && self.is_asked_once(pass.observers)) {
                let _ = sender.send(RunEvent::Booting {
                    kernel: self.kernel,
                    part: pass.part.clone(),
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
        let left = &mut queue.left;
        if self.is_asked_once(pass.observers) {
            together.truncate(1);
        }
        let asks = together.iter().map(|scenario| Ask {
            output: self.options.output,
            ..pass.ask(scenario)
        });
        let plan = GuestPlan {
            job: Job::Scenarios(asks.collect()),
            faults: self.options.faults.clone(),
            deadlines_ms: self
                .options
                .deadlines
                .iter()
                .map(|(name, time)| (name.clone(), time.as_millis() as u64))
                .collect(),
            agent: self
                .suite
                .brought
                .as_ref()
                .map(|brought| brought.agent.clone()),
        };
        let grace = self.options.grace;
        let own = |scenario: &Registered| {
            let own = self.options.deadlines.get(scenario.name);
            own.copied().unwrap_or(scenario.scenario.deadline) + grace
        };
        let limit = together.iter().map(|scenario| own(scenario));
        let brought = self.suite.brought.as_ref();
        let agent = brought.map_or(Duration::ZERO, |brought| brought.agent.ready());
        let limit = limit.sum::<Duration>() + self.options.boot + agent + grace;
        let mut release = self.target.release.clone();
        let mut heard = |message| match message {
            Message::Hello { release: seen, .. } => {
                release = seen;
                // An agent is started now.
                Some(agent + grace)
            }
            Message::Started { scenario } => {
                let found = left.iter().find(|registered| registered.name == scenario);
                let patience = found.map_or(grace, |found| own(found));
                *running = Some(scenario.clone());
                let _ = sender.send(RunEvent::Running {
                    kernel: self.kernel,
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
                *running = None;
                if let Some(place) = left.iter().position(|found| found.name == scenario)
                    && let Some(registered) = left.remove(place)
                {
                    let seen = self.judge(registered, pass, seen);
                    let mut record = self.record(registered, seen);
                    record.kernel.set_release(&release);
                    record.model = record.trail().and(model);
                    record.output = output;
                    take(registered, record);
                }
                Some(grace)
            }
            _ => Some(grace),
        };
        let errand = Errand {
            load: &load,
            plan,
            limit,
        };
        let mut told = |text| {
            let kernel = self.kernel;
            let _ = sender.send(RunEvent::Note { kernel, text });
        };
        let mut ears = Ears {
            heard: &mut heard,
            told: &mut told,
        };
        self.suite
            .follow(self.target, &errand, self.options, stop, &mut ears)
    }

    /// Whether each scenario of a pass has a boot of its own: not where the kernel does not have what that is for.
    fn is_asked_once(&self, observers: &[&Kind]) -> bool {
        let modules: Vec<_> = self.target.modules.keys().map(String::as_str).collect();
        let facts = self.facts(&modules);
        let has = |kind: &&Kind| {
            let mut needs = kind.needs.iter();
            needs.all(|need| need.on_host(&facts) != Some(false))
        };
        let mut once = observers.iter().filter(|kind| kind.is_asked_once());
        once.any(has)
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

    /// Judges what the observers say; without a trail the others have nothing to be placed in.
    fn judge(
        &self,
        registered: &'static Registered,
        pass: &Pass<'_>,
        sent: Vec<Sent>,
    ) -> Vec<ViewSeen> {
        let mut sent: BTreeMap<_, _> = sent
            .into_iter()
            .map(|one| (one.view.clone(), one))
            .collect();
        let mut take = |name: ViewName| {
            sent.remove(name.as_str()).unwrap_or_else(|| Sent {
                view: name.to_string(),
                result: Err(Failure::Broken("the guest says nothing of it".to_owned())),
                lost: Lost::default(),
            })
        };
        let nothing = Trail::default();
        let needs = registered.scenario.needs;
        let first = self.one(registered, TRAIL, needs, take(TRAIL), &nothing);
        let body = first.body.clone();
        let mut seen = vec![first];
        if let Some(trail) = body.as_ref().and_then(Body::get::<Steps>) {
            for name in pass.further(registered) {
                let needs = Kind::find(name.as_str()).map_or(&[] as &[Need], |kind| kind.needs);
                seen.push(self.one(registered, name, needs, take(name), trail));
            }
        }
        seen
    }

    /// Judges what one observer says.
    fn one(
        &self,
        registered: &Registered,
        name: ViewName,
        needs: &[Need],
        sent: Sent,
        trail: &Trail,
    ) -> ViewSeen {
        let modules: Vec<_> = self.target.modules.keys().map(String::as_str).collect();
        if let Err(Failure::Unfinished { reason, seen }) = sent.result {
            let body = name.view().and_then(|view| view.unpack(seen, trail).ok());
            return ViewSeen {
                body,
                ..ViewSeen::nothing(name, Outcome::Broken, reason)
            };
        }
        let body = match verdict(sent.result, needs, &self.facts(&modules)) {
            Ok(body) => body,
            Err((outcome, reason)) => return ViewSeen::nothing(name, outcome, reason),
        };
        let Some(view) = name.view() else {
            return ViewSeen::nothing(name, Outcome::Broken, "there is no such view");
        };
        if let Some((outcome, reason)) = view.judge(sent.lost) {
            return ViewSeen::nothing(name, outcome, reason);
        }
        match view.unpack(body, trail) {
            Ok(body) => {
                let wants = Kind::find(name.as_str()).map_or(&[] as &[Want], |kind| kind.wants);
                if let Err((outcome, reason)) =
                    agree(view.lacks(&body), wants, &self.facts(&modules))
                {
                    return ViewSeen::nothing(name, outcome, reason);
                }
                unless_left_out(self.compared(registered.name, name, body), sent.lost)
            }
            Err(reason) => ViewSeen::nothing(name, Outcome::Broken, reason),
        }
    }

    /// Compares what was seen with what is accepted. Beside an agent of a user's only its own report is held to that.
    fn compared(&self, scenario: &str, name: ViewName, body: Body) -> ViewSeen {
        let judged = |store, body| {
            let own = (store, &self.suite.lineage);
            judge_body(own, &self.target.id, (scenario, name), body)
        };
        match &self.suite.brought {
            None => judged(&self.suite.store, body),
            Some(_) if name != AGENT => judged(&self.suite.store, body).beside_agent(),
            Some(brought) => match &brought.store {
                Some(store) => judged(store, body),
                None => ViewSeen::taken(name, body),
            },
        }
    }

    /// Adds what the view of an observer saw that changes what it watches, with its footprint: how the trail of
    /// its pass differs from the one that is known.
    fn join_changed(&self, known: &mut Record, other: &Record, views: &[ViewName]) {
        // Where the record has no trail, it says why already.
        let Some(without) = known.trail().cloned() else {
            return;
        };
        for name in views {
            let seen = match (other.trail(), other.of(*name), name.view()) {
                (Some(with), Some(seen), Some(view)) => match &seen.body {
                    Some(body) => {
                        let body = view.beside(body, &without, with);
                        self.compared(&known.scenario, *name, body)
                    }
                    None => seen.clone(),
                },
                _ => no_trail(other, *name),
            };
            known.seen.push(seen);
        }
    }

    fn facts<'b>(&'b self, modules: &'b [&'b str]) -> KernelFacts<'b> {
        KernelFacts {
            release: &self.target.upstream,
            config: self.target.config.as_deref(),
            modules,
            lab: self.target.lab(),
            capabilities: own_capabilities(),
        }
    }

    fn record(&self, registered: &Registered, seen: Vec<ViewSeen>) -> Record {
        Record {
            scenario: registered.name.to_owned(),
            kernel: self.target.info(),
            seen,
            model: None,
            output: Vec::new(),
        }
    }

    fn send(&self, sender: &mpsc::Sender<RunEvent>, record: Record) {
        // A receiver that is gone wants nothing more.
        let _ = sender.send(RunEvent::Recorded {
            kernel: self.kernel,
            record: Box::new(record),
        });
    }
}

impl Pass<'_> {
    /// Whether its observer changes what it watches; such a one is alone.
    fn intrudes(&self) -> bool {
        self.observers.iter().any(|kind| kind.intrudes())
    }

    /// The views of this pass, beside the trail, that apply to a scenario.
    fn further(&self, scenario: &Registered) -> Vec<ViewName> {
        let views = VIEWS.iter().filter(|view| {
            let mut kinds = self.observers.iter();
            let armed = kinds.any(|kind| kind.name == view.name().as_str());
            armed && view.name() != TRAIL && view.applies(scenario)
        });
        views.map(|view| view.name()).collect()
    }

    fn ask(&self, scenario: &Registered) -> Ask {
        let names = std::iter::once(TRAIL).chain(self.further(scenario));
        Ask {
            scenario: scenario.name.to_owned(),
            observe: names.map(|name| name.to_string()).collect(),
            case: scenario.case.cloned().map(Box::new),
            output: Written::Dropped,
        }
    }
}

/// Takes out those that a guest has taken with it: the one that ran, none between two, and all of them where it came to
/// none of the `before` that it was to run.
fn lost(left: &mut Scenarios, before: usize, running: Option<&str>) -> Scenarios {
    let place = running.and_then(|name| left.iter().position(|scenario| scenario.name == name));
    match place {
        Some(place) => left.remove(place).into_iter().collect(),
        None if running.is_none() && left.len() < before => Scenarios::new(),
        None => std::mem::take(left),
    }
}

/// What the observers of a boot have for themselves, in words that follow its number; `once`: each scenario has its own.
fn own(observers: &[&Kind], once: bool) -> String {
    if let Some(kind) = observers.iter().find(|kind| kind.intrudes()) {
        return format!(", for {}, which changes what it watches", kind.name);
    }
    if let Some(kind) = observers.iter().find(|kind| kind.is_asked_once()) {
        let with = if once {
            format!(", with {BOOT}")
        } else {
            String::new()
        };
        return format!(", for {}{with}", kind.name);
    }
    let taken: Vec<_> = observers.iter().filter_map(|kind| kind.takes).collect();
    match taken.is_empty() {
        true => String::new(),
        false => format!(", with {} for itself", taken.join(" and ")),
    }
}

/// Adds what these views of a further pass saw to a record; the trail has to be the one that is known.
fn join(known: &mut Record, other: &Record, views: &[ViewName]) {
    let trail = |record: &Record| record.of(TRAIL).and_then(ViewSeen::text);
    // Where the record has no trail, it says why already.
    let Some(text) = trail(known) else { return };
    for view in views {
        known.seen.push(match (trail(other), other.of(*view)) {
            (Some(other), Some(seen)) if other == text => seen.clone(),
            (Some(_), _) => {
                let reason = "the trail of its boot is another one";
                ViewSeen::nothing(*view, Outcome::Broken, reason)
            }
            (None, _) => no_trail(other, *view),
        });
    }
}

/// A view in whose boot the scenario gave no trail.
fn no_trail(other: &Record, view: ViewName) -> ViewSeen {
    let seen = other.of(TRAIL);
    let reason = seen.and_then(|seen| seen.reason.as_deref());
    let reason = format!("in its boot: {}", reason.unwrap_or("there was no trail"));
    ViewSeen::nothing(view, Outcome::Broken, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::record;
    use crate::view::{STAGES, View as _};

    /// What becomes of a view whose pass gave this outcome of the trail.
    fn joined(outcome: Outcome, change: impl Fn(&mut Record)) -> ViewSeen {
        let mut known = record("start/a", "6.1", Outcome::Same);
        let mut other = record("start/a", "6.1", outcome);
        let own = ViewSeen::nothing(STAGES, Outcome::Unsupported, "because");
        other.seen.push(own);
        change(&mut other);
        join(&mut known, &other, &[STAGES]);
        assert_eq!(known.seen.len(), 2);
        known.of(STAGES).unwrap().clone()
    }

    #[test]
    fn a_boot_says_why_it_is_not_shared() {
        let kind = |name| Kind::find(name).unwrap();
        assert_eq!(own(&[kind("trail")], false), "");
        let text = ", for ptrace-seccomp, which changes what it watches";
        assert_eq!(own(&[kind("ptrace-seccomp")], false), text);
        assert_eq!(
            own(&[kind("ima")], true),
            ", for ima, with a boot for each scenario"
        );
        assert_eq!(own(&[kind("ima")], false), ", for ima");
    }

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

    #[test]
    fn a_further_pass_adds_its_views() {
        let seen = joined(Outcome::Same, |_| {});
        assert_eq!(seen.outcome, Outcome::Unsupported);
    }

    #[test]
    fn a_view_beside_another_trail_is_broken() {
        let seen = joined(Outcome::Same, |other| {
            let text = "start p1 by launcher: execve /b\nend p1: exit 0\n";
            other.seen[0].body = Steps::parse(text).ok().map(Body::new::<Steps>);
        });
        assert_eq!(seen.outcome, Outcome::Broken);
    }

    #[test]
    fn a_view_whose_boot_broke_says_so() {
        let seen = joined(Outcome::Broken, |other| other.seen.truncate(1));
        assert_eq!(seen.outcome, Outcome::Broken);
        assert_eq!(seen.reason.as_deref(), Some("in its boot: because"));
    }
}
