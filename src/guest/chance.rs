//! Plays generated cases, and makes those smaller that the model does not agree with.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signalfd::SignalFd;

use super::runner::{Eyes, Work, end_everybody, observe};
use super::undo::Undo;
use crate::cases::Case;
use crate::scenario::Hang;
use crate::trail::{Agreement, Lab, Trail};
use crate::wire::{Link, Message, Shrunk};

/// How long one case may take, under emulation.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays the case of a seed and tells the host.
///
/// # Errors
///
/// The host cannot be told.
pub fn one(lab: Lab, seed: u64, link: &Link, children: &SignalFd, eyes: &mut Eyes) -> Result<()> {
    link.send(&Message::Started {
        scenario: format!("case {seed}"),
    })?;
    let mut play = |case: &Case| play(lab, case, children, eyes);
    let result = play(&Case::of(seed));
    let bad = |found: &Agreement| !found.disagreements.is_empty() || !found.renamed.is_empty();
    let shrunk = result
        .as_ref()
        .is_ok_and(|found| found.as_ref().is_some_and(|(_, found)| bad(found)))
        .then(|| {
            let mut kept = None;
            let case = Case::shrink(seed, |case| match play(case) {
                Ok(Some((trail, found))) if bad(&found) => {
                    kept = Some((trail, found));
                    ControlFlow::Continue(true)
                }
                Ok(_) => ControlFlow::Continue(false),
                Err(_) => ControlFlow::Break(()),
            });
            let (trail, found) = kept.unwrap_or_default();
            Shrunk {
                source: case.to_string(),
                trail: trail.to_string(),
                disagreements: [found.disagreements, found.renamed].concat(),
            }
        });
    let result = match result {
        Ok(found) => Ok(found.map(|(_, found)| found)),
        Err(error) => Err(format!("{error:#}")),
    };
    link.send(&Message::Case {
        seed,
        result,
        shrunk,
    })?;
    Ok(())
}

/// Plays one case; none when there is nothing to begin with.
fn play(
    lab: Lab,
    case: &Case,
    children: &SignalFd,
    eyes: &mut Eyes,
) -> Result<Option<(Trail, Agreement)>> {
    let mut undo = Undo::new(lab)?;
    let run = |stage: &mut crate::scenario::Stage| case.play(stage);
    let work = Work {
        run: &run,
        hang: Hang::Fault,
    };
    let result = observe(&work, PATIENCE, None, &mut undo, eyes);
    let cleaned = end_everybody(children).and(undo.all());
    let seen = result?;
    cleaned?;
    Ok((seen.0 != Trail::default()).then_some(seen))
}
