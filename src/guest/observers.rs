//! The observers of a boot: set up once, armed together for each exec.
//!
//! An observer that fails costs only its own view; if the one that holds the processes fails, the scenario is broken.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::leftover::Beside;
use crate::need::asked;
use crate::observer::{Kind, OBSERVERS, Observer, Watch};
use crate::sys;
use crate::trail::{LabKind, Run};
use crate::wire::{Failure, GuestPlan, Lost, Sent, Submit};

/// How long an observer may take to read what is already there.
const GRACE: Duration = Duration::from_secs(5);

/// All observers that there are.
pub struct Observers {
    lab: LabKind,
    all: Vec<One>,
    /// The watch that is going on.
    watch: Option<Watch>,
    /// Who has lived beside the scenario so far; it may have been ended since.
    beside: Beside,
}

struct One {
    kind: &'static Kind,
    observer: Box<dyn Observer>,
    /// Whether it could be set up in this boot; not known before that was tried.
    ready: Option<Result<(), Failure>>,
    state: State,
    /// What became of it in the scenario that runs.
    result: Option<(Result<serde_json::Value, Failure>, Lost)>,
}

/// What an observer does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The scenario does not want it.
    Unwanted,
    /// It waits for the next exec.
    Wanted,
    /// It watches.
    Armed,
    /// It watches and holds the others.
    Holds,
}

impl Observers {
    /// Nothing is set up yet.
    pub fn new(lab: LabKind) -> Observers {
        let one = |kind: &'static Kind| One {
            kind,
            observer: (kind.make)(),
            ready: None,
            state: State::Unwanted,
            result: None,
        };
        Observers {
            lab,
            all: OBSERVERS.iter().map(one).collect(),
            watch: None,
            beside: Beside::Nobody,
        }
    }

    /// Sets these observers up before a scenario wants them.
    pub fn prepare(&mut self, names: &[String]) {
        for one in &mut self.all {
            if names.iter().any(|name| name == one.kind.name) {
                one.be_ready(self.lab);
            }
        }
    }

    /// Tells everybody what is to be done.
    pub fn plan(&mut self, plan: &GuestPlan) {
        for one in &mut self.all {
            one.observer.plan(plan);
        }
    }

    /// The process below which everybody lives on when a scenario is over.
    pub fn spared(&self) -> Option<i32> {
        self.all.iter().find_map(|one| one.observer.spares())
    }

    /// Whose files may be found when the scenario is over, besides its own.
    pub fn beside(&self) -> Beside {
        match self.spared() {
            Some(_) => Beside::Program,
            None => self.beside,
        }
    }

    /// A scenario begins for which these observers are armed.
    pub fn want(&mut self, names: &[String]) {
        self.watch = None;
        self.beside = Beside::Nobody;
        self.beside = self.beside();
        for one in &mut self.all {
            one.result = None;
            one.state = match names.iter().any(|name| name == one.kind.name) {
                true => State::Wanted,
                false => State::Unwanted,
            };
            if one.state == State::Wanted {
                one.be_ready(self.lab);
            }
        }
    }

    /// Arms everybody who is wanted.
    ///
    /// # Errors
    ///
    /// Nobody holds the processes.
    pub fn arm(&mut self, mut watch: Watch) -> Result<()> {
        let mut last = None;
        for one in self.all.iter_mut().filter(|one| one.state == State::Wanted) {
            match one.arm(&mut watch) {
                Ok(state) => one.state = state,
                Err(failure) => {
                    last = Some(failure.clone());
                    one.result = Some((Err(failure), Lost::default()));
                }
            }
        }
        self.beside = self.beside();
        if watch.holder.is_none() {
            match last {
                Some(
                    Failure::Broken(reason)
                    | Failure::Taken(reason)
                    | Failure::Unfinished { reason, .. },
                ) => bail!("{reason}"),
                Some(Failure::Unsupported(missing)) => bail!("needs {}", missing.join(", ")),
                None => bail!("no observer holds the processes"),
            }
        }
        self.watch = Some(watch);
        Ok(())
    }

    /// The process that holds the others; none while nothing is watched.
    pub fn holder(&self) -> Option<i32> {
        self.watch.as_ref().and_then(|watch| watch.holder)
    }

    /// What the child has to do to itself, for those who watch.
    pub fn submits(&self) -> Vec<Submit> {
        let watch = self.watch.as_ref();
        watch.map_or_else(Vec::new, |watch| watch.submits.clone())
    }

    /// Ends the holder without hearing it, which releases everybody; the others go on.
    pub fn release(&mut self) {
        let holders = self.all.iter_mut().filter(|one| one.state == State::Holds);
        for one in holders {
            one.observer.abandon();
            one.state = State::Wanted;
        }
        if let Some(watch) = &mut self.watch {
            watch.holder = None;
        }
    }

    /// Ends the watch of this exec and returns the run with everything that the holder saw.
    ///
    /// # Errors
    ///
    /// Nothing was watched, or the holder failed.
    pub fn disarm(&mut self, run: Run, helper: Option<String>) -> Result<Run> {
        let mut watch = self.watch.take().context("nothing was watched")?;
        (watch.run, watch.helper) = (run, helper);
        // A holder that hung has used up the time of all others.
        watch.deadline = watch.deadline.max(Instant::now() + GRACE);
        for one in self.all.iter_mut().rev() {
            let state = one.state;
            if matches!(state, State::Unwanted | State::Wanted) {
                continue;
            }
            one.state = State::Wanted;
            match (one.observer.disarm(&mut watch), state) {
                (Ok(None), _) => {}
                (Ok(Some(report)), _) => one.result = Some((Ok(report.body), report.lost)),
                (Err(Failure::Broken(reason)), State::Holds) => bail!("{reason}"),
                (Err(failure), _) => one.result = Some((Err(failure), Lost::default())),
            }
        }
        for (name, reason) in &watch.failed {
            let failed = self.all.iter_mut().find(|one| one.kind.name == name);
            if let Some(one) = failed {
                one.result = Some((Err(Failure::Broken(reason.clone())), Lost::default()));
            }
        }
        Ok(watch.run)
    }

    /// Ends whatever still watches, unheard, and the monitor: the scenario is over.
    pub fn stop(&mut self) {
        self.watch = None;
        for one in &mut self.all {
            if matches!(one.state, State::Armed | State::Holds) {
                one.observer.abandon();
                one.state = State::Wanted;
            }
            one.observer.end_scenario();
        }
    }

    /// What became of the observers in the scenario that ends; nothing of those that give no report.
    pub fn take(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        for one in &mut self.all {
            one.state = State::Unwanted;
            let view = one.kind.name.to_owned();
            let taken = one.result.take();
            sent.extend(taken.map(|(result, lost)| Sent { view, result, lost }));
        }
        sent
    }
}

impl One {
    fn be_ready(&mut self, lab: LabKind) {
        if self.ready.is_none() {
            self.ready = Some(self.set_up(lab));
            // Symbols and types of the kernel are megabytes, and each fork copies the page tables of what is mapped.
            sys::trim_heap();
        }
    }

    fn set_up(&mut self, lab: LabKind) -> Result<(), Failure> {
        let unmet = asked(self.kind.needs, lab).filter(|need| !(need.probe)(lab));
        let unmet: Vec<_> = unmet.map(|need| need.what.to_owned()).collect();
        match unmet.is_empty() {
            true => self.observer.set_up(lab),
            false => Err(Failure::Unsupported(unmet)),
        }
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<State, Failure> {
        if let Some(Err(failure)) = &self.ready {
            return Err(failure.clone());
        }
        if self.result.is_some() {
            let reason = "its view takes one exec, and the scenario has several";
            return Err(Failure::Broken(reason.to_owned()));
        }
        let before = watch.holder;
        self.observer.arm(watch)?;
        Ok(match watch.holder == before {
            true => State::Armed,
            false => State::Holds,
        })
    }
}
