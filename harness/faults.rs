//! What becomes of a run when something fails: guests that panic, hang or go silent, QEMU killed,
//! kernels that are none. What fails in a scenario costs that one and nothing else, within its deadline.
#![expect(clippy::expect_used, reason = "a trial fails by panicking")]

mod call;
#[path = "faults/hostile.rs"]
mod hostile;
#[path = "faults/kernel.rs"]
mod kernel;
#[path = "faults/lab.rs"]
mod lab;
#[path = "faults/machine.rs"]
mod machine;
#[path = "faults/room.rs"]
mod room;
#[path = "faults/state.rs"]
mod state;

use std::process::ExitCode;
use std::sync::Arc;

use exetrail::suite::{Options, ReadyKernel};
use exetrail::trail::Outcome;
use exetrail::wire::Fault;
use libtest_mimic::{Arguments, Failed, Trial};

use lab::{Check, FAULTY, Lab, SCENARIOS, no_qemu_is_left, options, stages_of, traced, trail_of};

/// What fails in a guest.
const TRIALS: [(&str, Check); 9] = [
    ("guest_panics", guest_panics),
    ("pid_1_hangs", pid_1_hangs),
    ("launcher_is_stuck", launcher_is_stuck),
    ("monitor_is_wedged", monitor_is_wedged),
    ("channel_is_cut", channel_is_cut),
    ("trace_is_lost", trace_is_lost),
    ("another_tracer_is_active", another_tracer_is_active),
    ("tracefs_is_missing", tracefs_is_missing),
    ("tracefs_should_be_there", tracefs_should_be_there),
];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // One guest after the other: the trials look for their own QEMU.
    args.test_threads = Some(1);
    let lab = match Lab::open() {
        Ok(lab) => Arc::new(lab),
        Err(error) => {
            eprintln!("faults: {error:#}");
            return ExitCode::from(2);
        }
    };
    let all = TRIALS.into_iter().chain(machine::TRIALS);
    let all = all.chain(state::TRIALS).chain(hostile::TRIALS);
    let isolated = state::ISOLATED.into_iter().chain(room::TRIALS);
    let trial = |(name, check), run: fn(&Lab, Check) -> _| {
        let lab = Arc::clone(&lab);
        Trial::ignorable_test(name, move || run(&lab, check))
    };
    let all = all.map(|named| trial(named, Lab::run));
    let isolated = isolated.map(|named| trial(named, Lab::run_isolated));
    let trials = all.chain(isolated);
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

fn guest_panics(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.with_fault(Fault::Panic)?;
    seen.check(
        2,
        &[
            "the kernel panicked",
            "console's last lines",
            "sysrq triggered crash",
        ],
    )
}

fn pid_1_hangs(lab: &Lab) -> Result<(), Failed> {
    lab.with_fault(Fault::Hang)?
        .check(2, &["nothing came for 5 s", "the guest hangs; CPU 0 is "])
}

fn launcher_is_stuck(lab: &Lab) -> Result<(), Failed> {
    lab.with_fault(Fault::Stuck)?
        .check(1, &["stood still for 2 s", "launcher"])
}

fn monitor_is_wedged(lab: &Lab) -> Result<(), Failed> {
    // Its exec waits for an answer that never comes, until the runner kills the monitor.
    lab.with_fault(Fault::Wedge)?
        .check(1, &["stood still for 2 s", "monitor"])
}

fn channel_is_cut(lab: &Lab) -> Result<(), Failed> {
    lab.with_fault(Fault::Cut)?
        .check(2, &["cut in the middle of a record (16 bytes"])
}

/// Lines of the kernel's trace are lost: that costs the view of the inside, and not the trail.
fn trace_is_lost(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.traced_with_fault(Fault::Lost)?;
    let record = seen.records.get(FAULTY).ok_or("there is no record")?;
    let (outcome, reason) = stages_of(record).ok_or("there are no stages")?;
    let reason = reason.unwrap_or_default();
    let lost =
        outcome == Outcome::Broken && reason.contains("lines of the kernel's trace were lost");
    match trail_of(record).0 == Outcome::Same && lost && seen.boots == 1 {
        true => Ok(()),
        false => Err(format!("{}, stages {reason:?}", trail_of(record).0).into()),
    }
}

/// Somebody else traces from the second scenario on: from there on there is no second view.
fn another_tracer_is_active(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.traced_with_fault(Fault::Traced)?;
    let views = SCENARIOS.map(|name| {
        let record = seen.records.get(name)?;
        let (outcome, reason) = stages_of(record)?;
        Some((trail_of(record).0, outcome, reason))
    });
    let reason = Some("another tracer is active: function".to_owned());
    let unsupported = Some((Outcome::Same, Outcome::Unsupported, reason));
    let first = Some((Outcome::Same, Outcome::Same, None));
    match views == [first, unsupported.clone(), unsupported] {
        true => Ok(()),
        false => Err(format!("{views:?}").into()),
    }
}

/// A kernel that makes no tracefs has no second view, and the trail all the same.
fn tracefs_is_missing(lab: &Lab) -> Result<(), Failed> {
    let target = ReadyKernel {
        config: None,
        ..lab.target()
    };
    without_tracefs(lab, target, Outcome::Unsupported, "needs tracefs")
}

/// By its configuration it has one: then it is our mistake that there is none.
fn tracefs_should_be_there(lab: &Lab) -> Result<(), Failed> {
    without_tracefs(lab, lab.target(), Outcome::Broken, "tracefs")
}

fn without_tracefs(
    lab: &Lab,
    target: ReadyKernel,
    outcome: Outcome,
    reason: &str,
) -> Result<(), Failed> {
    let options = Options {
        parameters: "initcall_blacklist=tracefs_init".to_owned(),
        ..traced(options())
    };
    let seen = lab.boot(target, options, &mut |_| {})?;
    for (name, record) in &seen.records {
        let trail = trail_of(record).0;
        let stages = stages_of(record);
        let as_wanted = stages.as_ref().is_some_and(|(found, said)| {
            *found == outcome && said.as_ref().is_some_and(|said| said.contains(reason))
        });
        if trail != Outcome::Same || !as_wanted {
            return Err(format!("{name} is {trail}, stages {stages:?}").into());
        }
    }
    match seen.records.len() == SCENARIOS.len() {
        true => no_qemu_is_left(),
        false => Err(format!("{} records", seen.records.len()).into()),
    }
}
