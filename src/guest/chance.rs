//! Plays generated cases, and makes those smaller that the model does not agree with.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;

use super::fault::Nobody;
use super::runner::{Boot, TRAIL, Work, end_everybody, observe};
use super::undo::Undo;
use crate::case::Case;
use crate::cases;
use crate::scenario::Hang;
use crate::trail::{Agreement, Trail};
use crate::wire::{Link, Message, Shrunk};

/// How long one case may take, under emulation.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays the case of a seed and tells the host.
///
/// # Errors
///
/// The host cannot be told.
pub fn one(seed: u64, link: &Link, boot: &mut Boot) -> Result<()> {
    link.send(&Message::Started {
        scenario: format!("case {seed}"),
    })?;
    let mut play = |case: &Case| play(case, boot);
    let result = play(&cases::of(seed));
    let bad = |found: &Agreement| !found.disagreements.is_empty() || !found.renamed.is_empty();
    let shrunk = result
        .as_ref()
        .is_ok_and(|found| found.as_ref().is_some_and(|(_, found)| bad(found)))
        .then(|| {
            let mut kept = None;
            let case = cases::shrink(seed, |case| match play(case) {
                Ok(Some((trail, found))) if bad(&found) => {
                    kept = Some((trail, found));
                    ControlFlow::Continue(true)
                }
                Ok(_) => ControlFlow::Continue(false),
                Err(_) => ControlFlow::Break(()),
            });
            let (trail, found) = kept.unwrap_or_default();
            Shrunk {
                case: Box::new(case),
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
fn play(case: &Case, boot: &mut Boot) -> Result<Option<(Trail, Agreement)>> {
    boot.observers.want(&[TRAIL.to_owned()]);
    let mut undo = Undo::new(boot.lab)?;
    let run = |system: &mut crate::scenario::System| cases::attempt(case, system);
    let work = Work {
        run: &run,
        hang: Hang::Fault,
        time: PATIENCE,
        listener: &Nobody,
    };
    let result = observe(&work, &mut undo, boot);
    let cleaned = end_everybody(&boot.children).and(undo.all());

    let seen = result?;
    cleaned?;
    Ok((seen.0 != Trail::default()).then_some(seen))
}
