//! The runner's side of the view `stages`: traces each start of a scenario that has that view.
//!
//! Whatever goes wrong here costs the view alone; the trail is asserted all the same.

use anyhow::{Context as _, Result};

use crate::observer::stages::{BUSY, Instance, Marker, NEEDS};
use crate::scenario::Registered;
use crate::stages::{Packed, WORDS, arrange};
use crate::trail::{Inside, Lab, Run, normalise};
use crate::wire::{Failure, Fault, Tracing};

/// What is traced, if anything.
#[derive(Debug)]
pub struct Tracer {
    lab: Lab,
    tracing: Tracing,
    /// Made for the first scenario that has the view.
    instance: Option<Result<Instance, Failure>>,
    /// Whether the scenario that runs has the view.
    wanted: bool,
    fault: Option<Fault>,
    /// What became of the scenario that runs.
    result: Option<Result<Packed, Failure>>,
}

impl Tracer {
    /// Nothing is set up yet.
    pub fn new(lab: Lab, tracing: Tracing) -> Tracer {
        Tracer {
            lab,
            tracing,
            instance: None,
            wanted: false,
            fault: None,
            result: None,
        }
    }

    /// A scenario begins.
    pub fn scenario(&mut self, name: &str, fault: Option<Fault>) {
        let has = Registered::find(name).is_some_and(Registered::has_stages);
        self.wanted = has && self.tracing == Tracing::On;
        self.result = None;
        self.fault = fault;
        if self.wanted && self.instance.is_none() {
            self.instance = Some(make(self.lab));
        }
    }

    /// A start is about to be watched; the monitor takes the marker.
    pub fn begin(&mut self) -> Option<Marker> {
        if !self.wanted {
            return None;
        }
        let begun = match self.instance.as_mut()? {
            Ok(instance) => {
                if self.fault == Some(Fault::Traced) {
                    // As below.
                    let _ = Instance::rival();
                }
                let begun = instance.begin();
                if self.fault == Some(Fault::Lost) {
                    // When this cannot be done, nothing is lost, and the test says so.
                    let _ = instance.flood();
                }
                begun.map_err(failure)
            }
            Err(failure) => Err(failure.clone()),
        };
        begun
            .map_err(|failure| self.result = Some(Err(failure)))
            .ok()
    }

    /// The start is over and everybody who was seen has ended.
    pub fn end(&mut self, run: &Run) {
        if !self.wanted || self.result.is_some() {
            return;
        }
        if let Some(Ok(instance)) = &mut self.instance {
            self.result = Some(story(instance, run).map_err(broken));
        }
    }

    /// What became of the view; none for a scenario without it, or that ended before its time.
    pub fn take(&mut self) -> Option<Result<Packed, Failure>> {
        let taken = self.result.take();
        if self.wanted
            && taken.is_none()
            && let Some(Ok(instance)) = &mut self.instance
        {
            // What a broken scenario left in the buffer is nobody's.
            let _ = instance.end();
        }
        self.wanted = false;
        taken
    }

    /// Everything is put back.
    pub fn remove(self) -> Result<()> {
        match self.instance {
            Some(Ok(instance)) => instance.remove(),
            _ => Ok(()),
        }
    }
}

fn broken(error: anyhow::Error) -> Failure {
    Failure::Broken(format!("{error:#}"))
}

/// Who else traces is the kernel's user; everything else is our fault.
fn failure(error: anyhow::Error) -> Failure {
    let reason = format!("{error:#}");
    match reason.starts_with(BUSY) {
        true => Failure::Unsupported(vec![reason]),
        false => Failure::Broken(reason),
    }
}

fn make(lab: Lab) -> Result<Instance, Failure> {
    let unmet = NEEDS.iter().filter(|need| !(need.probe)(lab));
    let unmet: Vec<_> = unmet.map(|need| need.what.to_owned()).collect();
    if !unmet.is_empty() {
        return Err(Failure::Unsupported(unmet));
    }
    Instance::make().map_err(failure)
}

fn story(instance: &mut Instance, run: &Run) -> Result<Packed> {
    let lines = instance.end()?;
    let stages = arrange(run, &lines).map_err(anyhow::Error::msg)?;
    let blind = WORDS
        .iter()
        .filter(|word| !word.is_traceable(instance.there()));
    let inside = Inside {
        stages,
        untraceable: blind.map(|word| word.stage.to_owned()).collect(),
        ..Inside::default()
    };
    Packed::new(&normalise(run), &inside).context("the story has a step that the trail has not")
}
