//! `cargo test`: every kernel times every scenario, a trial each, asserted against the snapshots.
//!
//! A trial is named `6.12::start/shebang`. Only kernels that the filter lets through are booted;
//! `--list` boots nothing. See `docs/architecture.md`, "The harness".
//!
//! Each further view of a scenario is a trial of its own, `6.12::start/shebang::stages`, as are the
//! model's agreement with it, `6.12::start/shebang::model`, and each sentence of the story,
//! `6.12::story::program_runs_last`.
//!
//! - `EXETRAIL_KERNELS=6.1,6.12,native`: these kernels only (default: all of the table, and the
//!   running one where its series is in the table and this is root)
//! - `EXETRAIL_REQUIRE=all`: a kernel that is not fetched is a failure
//! - `EXETRAIL_OBSERVE=all`, or the names of views: as `exetrail run --observe`; without it trail and
//!   stages are observed, and what is not observed has no trial; those that have a pass of their own,
//!   on three kernels alone
//! - `EXETRAIL_ACCEL=tcg|kvm|auto`, `EXETRAIL_CACHE=FOLDER`: as for the command

mod call;
mod collect;
mod model;
mod settle;
mod soundness;
mod story;
mod subject;
mod unseen;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use exetrail::observer::Kind;
use exetrail::report::summary;
use exetrail::scenario::{Registered, select};
use exetrail::suite::{ALL, Stop, VARIABLE, asked_by_environment, observed};
use exetrail::trail::Outcome;
use exetrail::view::{Record, Row, VIEWS, ViewName, label, rows};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use call::{Gate, ROOT};
use collect::Collector;
use subject::{Readiness, Subject};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let args = Arguments::from_args();
    // Before any thread: everybody inherits the blocked signals.
    let stop = Stop::listen()?;
    let root = Path::new(ROOT);
    let project = call::project()?;
    let subjects = Subject::chosen(&project)?;
    let scenarios = select(&[])?;

    let observe = observed(&asked_by_environment()?);
    let collector = Collector::new(project, observe.clone(), Gate::of_environment()?, stop);
    let collector = Arc::new(collector);
    let mut trials = Vec::new();
    for subject in &subjects {
        for scenario in &scenarios {
            let views = observe.iter().filter_map(|name| name.view());
            let views = views.filter(|view| subject.is_intruded() || !has_own_pass(view.name()));
            for view in views.filter(|view| view.applies(scenario)) {
                let trial = trial(&collector, subject, scenario, view.name());
                if !args.list && !args.is_filtered_out(&trial) {
                    collector.judge(subject, scenario, view.name());
                }
                trials.push(trial);
            }
        }
        trials.extend(story::trials(&collector, subject, &args)?);
        trials.extend(model::trials(&collector, subject, &scenarios, &args));
    }
    trials.push(Trial::test("model::few_are_unpredicted", || {
        model::few_are_unpredicted()
    }));
    trials.push(Trial::test("unseen::is_told_once", unseen::is_told_once));
    trials.push(Trial::test("snapshots::sound", move || {
        soundness::snapshots(root)
    }));
    trials.push(Trial::test("tools::sound", move || soundness::tools(root)));
    for (name, page) in soundness::PAGES {
        trials.push(Trial::test(format!("docs::{name}"), move || page(root)));
    }

    let conclusion = libtest_mimic::run(&args, trials);
    let records = collector.finish();
    let all = rows(&records);
    if all.iter().any(is_different) {
        settle::write(&records, root)?;
        eprintln!("{}", summary(&all));
    }
    // Under nextest each trial is asked for alone.
    if !args.list && !args.exact {
        let left = VIEWS.iter().map(|view| view.name());
        let left = left.filter(|name| !observe.contains(name));
        let left: Vec<_> = left.map(ViewName::as_str).collect();
        if !left.is_empty() {
            let left = left.join(", ");
            eprintln!("note: not observed and not judged ({VARIABLE}={ALL}): {left}\n");
        }
    }
    Ok(conclusion.exit_code())
}

/// Whether scenarios are started once more for the observer of a view.
fn has_own_pass(view: ViewName) -> bool {
    Kind::find(view.as_str()).is_some_and(Kind::has_own_pass)
}

fn trial(
    collector: &Arc<Collector>,
    subject: &Subject,
    scenario: &'static Registered,
    view: ViewName,
) -> Trial {
    let name = format!("{}::{}", subject.name(), label(scenario.name, view));
    let (collector, subject) = (Arc::clone(collector), subject.clone());
    Trial::ignorable_test(name, move || assert(&collector, &subject, scenario, view))
}

/// Waits for what was seen and says how it compares.
fn assert(
    collector: &Arc<Collector>,
    subject: &Subject,
    scenario: &Registered,
    view: ViewName,
) -> Result<Completion, Failed> {
    let record = match seen(collector, subject, scenario)? {
        Looked::Seen(record) => *record,
        Looked::Nothing(why) => return Ok(why),
    };
    let Some(seen) = record.of(view) else {
        return collector.unseen(subject, &record, view);
    };
    let row = Row {
        record: &record,
        seen,
    };
    let reason = seen.reason.clone().unwrap_or_default();
    match seen.outcome {
        Outcome::Same => {
            settle::assert_same(&row, Path::new(ROOT))?;
            Ok(Completion::Completed)
        }
        Outcome::Unsupported => Ok(Completion::ignored_with(format!("unsupported: {reason}"))),
        // No agent is beside the trials.
        Outcome::Seen => Err("it was held to nothing".into()),
        Outcome::Broken => Err(format!("broken: {reason}").into()),
        // cargo insta goes on to the review by itself.
        Outcome::Changed | Outcome::New if std::env::var_os("INSTA_FORCE_PASS").is_some() => {
            Ok(Completion::Completed)
        }
        Outcome::Changed | Outcome::New => Err(settle::difference(&row).into()),
    }
}

/// What a trial can look at.
enum Looked {
    Seen(Box<Record>),
    /// Not run, as its reason says.
    Nothing(Completion),
}

/// Why nothing is run on a kernel; a failure where it has to be there.
fn left_out(collector: &Collector, subject: &Subject) -> Result<Option<Completion>, Failed> {
    match subject
        .readiness(&collector.project)
        .map_err(|error| format!("{error:#}"))?
    {
        Readiness::Ready(_) => Ok(None),
        Readiness::Missing(reason) => collector.gate.not_run(reason).map(Some),
        Readiness::Ignored(reason) => Ok(Some(Completion::ignored_with(reason))),
    }
}

/// Waits for what was seen of a scenario on a kernel.
fn seen(
    collector: &Arc<Collector>,
    subject: &Subject,
    scenario: &Registered,
) -> Result<Looked, Failed> {
    if let Some(why) = left_out(collector, subject)? {
        return Ok(Looked::Nothing(why));
    }
    let record = collector.wait(subject, scenario)?;
    Ok(Looked::Seen(Box::new(record)))
}

fn is_different(row: &Row<'_>) -> bool {
    matches!(row.seen.outcome, Outcome::Changed | Outcome::New)
}
