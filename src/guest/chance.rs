//! Plays generated cases, and makes those smaller that the model does not agree with.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::clearing::end_everybody;
use super::fault::Nobody;
use super::leftover::Beside;
use super::runner::{Boot, TRAIL, Work, observe};
use super::undo::Undo;
use super::unfinished::GivenUp;
use crate::case::Case;
use crate::cases::{self, kept::Kept};
use crate::model::Reach;
use crate::scenario::Hang;
use crate::trail::{Agreement, LabKind, Trail};
use crate::wire::{Link, Message, Shrunk};

/// How long one case may take, also under emulation.
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
    let (result, reach) = Reach::of(|| play(&cases::of(seed), boot));
    let kept = boot.kept.iter_mut().flat_map(|kept| kept.drain(..));
    let kept = kept.map(|kept| serde_json::to_value(Kept { seed, ..kept }));
    let kept = kept.collect::<serde_json::Result<_>>();
    let kept = kept.context("failed to write what the model was told")?;
    // What is kept is looked at without a kernel.
    let smaller = boot.kept.is_none();
    let mut play = |case: &Case| play(case, boot);
    let bad = |found: &Agreement| !found.disagreements.is_empty() || !found.renamed.is_empty();
    let first = result.as_ref().ok().cloned().flatten();
    let shrunk = first.filter(|(_, found)| bad(found)).map(|mut worst| {
        let case = cases::shrink(seed, |case| match smaller.then(|| play(case)) {
            Some(Ok(Some(played))) if bad(&played.1) => {
                worst = played;
                ControlFlow::Continue(true)
            }
            Some(Ok(_)) => ControlFlow::Continue(false),
            None | Some(Err(_)) => ControlFlow::Break(()),
        });
        let (trail, found) = worst;
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
        reach: reach.into(),
        kept,
    })?;
    if let Some(kept) = &mut boot.kept {
        // Those of smaller cases.
        kept.clear();
    }
    Ok(())
}

/// Plays one case; none when there is nothing to begin with.
fn play(case: &Case, boot: &mut Boot) -> Result<Option<(Trail, Agreement)>> {
    // A setting is the whole machine's, and so no native lab's.
    if boot.lab == LabKind::Native && !(case.formats.is_empty() && case.sysctl.is_empty()) {
        return Ok(None);
    }
    boot.observers.want(&[TRAIL.to_owned()]);
    let mut undo = Undo::new(boot.lab)?;
    let run = |system: &mut crate::scenario::System| cases::attempt(case, system);
    let work = Work {
        run: &run,
        hang: Hang::Observed,
        time: PATIENCE,
        listener: &Nobody,
        given_up: GivenUp::Nothing,
    };
    let result = observe(&work, &mut undo, boot);
    let cleaned = end_everybody(&boot.children, None).and(undo.all(Beside::Nobody));
    let seen = result?;
    cleaned?;
    Ok((seen.0 != Trail::default()).then_some(seen))
}
