//! The model on every kernel: against each scenario, a trial each (`6.12::start/shebang::model`),
//! and against randomly generated execs (`6.12::model::cases`).

use std::sync::Arc;

use exetrail::scenario::{Registered, select};
use exetrail::view::TRAIL;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::collect::Collector;
use crate::subject::Subject;
use crate::{Looked, left_out, seen};

/// Seeds of the cases that every run plays; `exetrail model` plays as many as one likes.
pub const SEEDS: std::ops::Range<u64> = 0..50;
/// How many scenarios there must be for each one that declares something unpredicted.
const PREDICTED: usize = 10;

/// The trials of one kernel.
pub fn trials(
    collector: &Arc<Collector>,
    subject: &Subject,
    scenarios: &[&'static Registered],
    args: &Arguments,
) -> Vec<Trial> {
    let mut trials: Vec<_> = scenarios
        .iter()
        .map(|&scenario| {
            let name = format!("{}::{}::model", subject.name(), scenario.name);
            let (own, on) = (Arc::clone(collector), subject.clone());
            let trial = Trial::ignorable_test(name, move || agrees(&own, &on, scenario));
            if !args.list && !args.is_filtered_out(&trial) {
                collector.want(subject, scenario);
            }
            trial
        })
        .collect();
    let name = format!("{}::model::cases", subject.name());
    let (own, on) = (Arc::clone(collector), subject.clone());
    let trial = Trial::ignorable_test(name, move || cases(&own, &on));
    if !args.list && !args.is_filtered_out(&trial) {
        collector.want_cases(subject);
    }
    trials.push(trial);
    trials
}

fn agrees(
    collector: &Arc<Collector>,
    subject: &Subject,
    scenario: &Registered,
) -> Result<Completion, Failed> {
    let record = match seen(collector, subject, scenario)? {
        Looked::Seen(record) => record,
        Looked::Nothing(why) => return Ok(why),
    };
    let Some(found) = &record.model else {
        return collector.unseen(subject, &record, TRAIL);
    };
    let disagreements = found.disagreements.iter();
    let mut wrong: Vec<_> = disagreements.map(String::as_str).collect();
    let surprises = found.surprises().map(String::as_str);
    match scenario.scenario.unpredicted {
        None => wrong.extend(surprises),
        Some(reason) if surprises.count() == 0 => {
            return Err(format!("declared as unpredicted ({reason}), and predicted").into());
        }
        Some(_) => {}
    }
    match wrong.is_empty() {
        true => Ok(Completion::Completed),
        false => Err(format!("the model does not predict it:\n{}", wrong.join("\n")).into()),
    }
}

fn cases(collector: &Arc<Collector>, subject: &Subject) -> Result<Completion, Failed> {
    if let Some(why) = left_out(collector, subject)? {
        return Ok(why);
    }
    let tally = collector.wait_for_cases(subject)?;
    match tally.complaints() {
        complaints if !complaints.is_empty() => Err(complaints.into()),
        _ if tally.started() == 0 => Err("no case was started".into()),
        _ => Ok(Completion::Completed),
    }
}

/// At most one scenario in ten may declare something that the model does not predict.
pub fn few_are_unpredicted() -> Result<(), Failed> {
    let all = select(&[]).map_err(|error| format!("{error:#}"))?;
    let declared = all
        .iter()
        .filter(|found| found.scenario.unpredicted.is_some());
    let declared: Vec<_> = declared.map(|found| found.name).collect();
    match declared.len() * PREDICTED > all.len() {
        true => Err(format!(
            "more than one in ten is not predicted: {}",
            declared.join(", ")
        )
        .into()),
        false => Ok(()),
    }
}
