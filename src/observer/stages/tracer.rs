//! The tracer as an observer: where inside the kernel each step falls.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::instance::Instance;
use super::{BUSY, NEEDS, WANTS};
use crate::observer::{HeldHook, Kind, Observer, Statement, Watch, broken};
use crate::stages::{Inside, Packed, Source, WORDS, arrange, without};
use crate::trail::{LabKind, normalise};
use crate::wire::{Failure, Lost};

/// Armed before the monitor, which writes a marker at each step.
pub const KIND: Kind = Kind {
    name: "stages",
    needs: NEEDS,
    wants: WANTS,
    takes: None,
    make: || Box::new(Tracer::default()),
};

/// An instance of the tracer for the whole boot.
#[derive(Debug, Default)]
struct Tracer {
    instance: Option<Instance>,
}

impl Tracer {
    fn instance(&mut self) -> Result<&mut Instance, Failure> {
        let instance = self.instance.as_mut();
        instance.ok_or_else(|| Failure::Broken("the tracer was not set up".to_owned()))
    }
}

impl Observer for Tracer {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        self.instance = Some(Instance::make().map_err(failure)?);
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let marker = self.instance()?.begin().map_err(failure)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(marker),
        });
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<Statement>, Failure> {
        let body = story(self.instance()?, watch).map_err(broken)?;
        let lost = Lost::default();
        Ok(Some(Statement { body, lost }))
    }

    fn abandon(&mut self) {
        if let Some(instance) = &mut self.instance {
            // What a broken scenario left in the buffer is nobody's.
            let _ = instance.end();
        }
    }
}

/// Another tracer is a matter of the kernel's user; everything else is our fault.
fn failure(error: anyhow::Error) -> Failure {
    let reason = format!("{error:#}");
    match reason.starts_with(BUSY) {
        true => Failure::Taken(reason),
        false => Failure::Broken(reason),
    }
}

fn story(instance: &mut Instance, watch: &Watch) -> Result<Value> {
    let lines = instance.end()?;
    let run = &watch.run;
    let stages = arrange(run, &lines).map_err(anyhow::Error::msg)?;
    let stages = without(stages, &watch.added);
    let unmet = WANTS.iter().filter(|want| !(want.need.probe)(LabKind::Vm));
    let absent: Vec<_> = unmet.map(|want| want.name.to_owned()).collect();
    let is_absent = |source: &Source| absent.contains(&source.symbol());
    let blind = WORDS
        .iter()
        .filter(|word| !word.is_traceable(instance.there()) && !word.sources.iter().all(is_absent));
    let inside = Inside {
        stages,
        untraceable: blind.map(|word| word.stage.to_owned()).collect(),
        absent,
    };
    let packed = Packed::new(&normalise(run), &inside);
    let packed = packed.context("the story has a step that the trail has not")?;
    serde_json::to_value(packed).context("failed to write the story")
}
