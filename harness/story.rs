//! The five sentences that this project rests on, each a trial on every kernel; and a wrong one,
//! which has to fail.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use exetrail::scenario::Registered;
use exetrail::stages::{CLAIMS, Held, Point, Sentence, WRONG};
use exetrail::view::STAGES;
use exetrail::view::stages::Stages;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::collect::Collector;
use crate::subject::Subject;
use crate::{Looked, seen};

/// The scenario whose story it is: bash starts ls.
const SCENARIO: &str = "start/normal";

/// A trial for each sentence on one kernel.
///
/// # Errors
///
/// There is no such scenario: whoever renames it renames it here.
pub fn trials(
    collector: &Arc<Collector>,
    subject: &Subject,
    args: &Arguments,
) -> Result<Vec<Trial>> {
    let scenario = Registered::find(SCENARIO);
    let scenario = scenario.with_context(|| format!("there is no scenario {SCENARIO}"))?;
    let claims = CLAIMS.iter().map(|claim| (claim, right as Check));
    let claims = claims.chain([(&WRONG, wrong as Check)]);
    let trials = claims.map(|(claim, check)| {
        let name = format!("{}::story::{}", subject.name(), claim.name);
        let (own, on) = (Arc::clone(collector), subject.clone());
        Trial::ignorable_test(name, move || ask(&own, &on, scenario, claim, check))
    });
    let trials: Vec<_> = trials.collect();
    if !args.list && trials.iter().any(|trial| !args.is_filtered_out(trial)) {
        collector.want(subject, scenario);
    }
    Ok(trials)
}

type Check = fn(&Sentence, &[Point]) -> Result<(), Failed>;

fn ask(
    collector: &Arc<Collector>,
    subject: &Subject,
    scenario: &Registered,
    claim: &Sentence,
    check: Check,
) -> Result<Completion, Failed> {
    let record = match seen(collector, subject, scenario)? {
        Looked::Seen(record) => record,
        Looked::Nothing(why) => return Ok(why),
    };
    let Some(story) = record.body::<Stages>() else {
        return collector.unseen(subject, &record, STAGES);
    };
    check(claim, &story.inside.stages).map(|()| Completion::Completed)
}

/// It holds in both execs, and shows by which lines.
fn right(claim: &Sentence, points: &[Point]) -> Result<(), Failed> {
    let found = claim.check(points);
    let no = found.iter().find(|(_, held)| *held == Held::No);
    match no {
        Some((process, _)) => Err(format!("not so in {process}: {}", claim.says).into()),
        None if found.len() == 2 => Ok(()),
        None => Err(format!("{} execs of dynamic programs instead of 2", found.len()).into()),
    }
}

/// It holds nowhere: an assertion that nothing could break would assert nothing.
fn wrong(claim: &Sentence, points: &[Point]) -> Result<(), Failed> {
    let found = claim.check(points);
    let yes = found.iter().any(|(_, held)| *held != Held::No);
    match yes || found.is_empty() {
        true => Err(format!("this should not hold: {}", claim.says).into()),
        false => Ok(()),
    }
}
