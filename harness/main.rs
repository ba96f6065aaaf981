//! `cargo test`: every kernel times every scenario, a trial each, asserted against the snapshots.
//!
//! A trial is named `6.12::start/shebang`. Only what the filter lets through is booted, each kernel
//! once per run; `--list` boots nothing. See `docs/architecture.md`, "The harness".
//!
//! - `EXETRAIL_KERNELS=6.1,6.12`: these kernels only (default: all of the table)
//! - `EXETRAIL_REQUIRE=all`: a kernel that is not fetched is a failure
//! - `EXETRAIL_ACCEL=tcg|kvm|auto`, `EXETRAIL_CACHE=FOLDER`: as for the command

mod collect;
mod settle;
mod soundness;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use exetrail::project::{Project, cache_folder};
use exetrail::report::{Finding, summary};
use exetrail::scenario::{Registered, select};
use exetrail::suite::{Stop, Wanted};
use exetrail::trail::{KernelId, Outcome};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use collect::Collector;

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
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let project = Project::open_at(Some(root.clone()), cache_folder()?)?;
    let kernels = kernels(&project)?;
    let scenarios = select(&[])?;

    let collector = Arc::new(Collector::new(project, stop));
    let mut trials = Vec::new();
    for id in &kernels {
        for scenario in &scenarios {
            let trial = trial(&collector, id, scenario);
            if !args.list && !args.is_filtered_out(&trial) {
                collector.want(id, scenario);
            }
            trials.push(trial);
        }
    }
    let folder = root.join("snapshots");
    trials.push(Trial::test("snapshots::sound", move || {
        soundness::check(&folder)
    }));

    let conclusion = libtest_mimic::run(&args, trials);
    let findings = collector.finish();
    let different = findings.iter().filter(|found| is_different(found)).count();
    if different > 0 {
        settle::write(&findings, &root)?;
        eprintln!("{}", settle::summary(&findings));
        eprintln!("{}", summary(&findings));
    }
    Ok(conclusion.exit_code())
}

/// The kernels of `EXETRAIL_KERNELS`, or all of the table.
fn kernels(project: &Project) -> Result<Vec<KernelId>> {
    let asked = std::env::var("EXETRAIL_KERNELS").unwrap_or_default();
    let words: Vec<_> = asked
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return Ok(project
            .table
            .kernels
            .iter()
            .map(|entry| entry.id.clone())
            .collect());
    }
    let find = |word: &&str| {
        let id = word.parse::<KernelId>().ok();
        let entry = id.and_then(|id| project.table.find(&id));
        entry.map(|entry| entry.id.clone()).with_context(|| {
            format!(
                "EXETRAIL_KERNELS: there is no kernel \"{word}\", the table has {}",
                project.table.ids()
            )
        })
    };
    words.iter().map(find).collect()
}

fn trial(collector: &Arc<Collector>, id: &KernelId, scenario: &'static Registered) -> Trial {
    let name = format!("{id}::{}", scenario.name);
    let (collector, id) = (Arc::clone(collector), id.clone());
    Trial::ignorable_test(name, move || assert(&collector, &id, scenario))
}

/// Waits for what was seen and says how it compares.
fn assert(
    collector: &Arc<Collector>,
    id: &KernelId,
    scenario: &Registered,
) -> Result<Completion, Failed> {
    let wanted = Wanted::of_table(&collector.project, id).map_err(|error| format!("{error:#}"))?;
    if matches!(wanted, Wanted::NotFetched(_)) {
        let reason = format!("not run: kernel {id} is not fetched, vm/setup {id} fetches it");
        let required = std::env::var("EXETRAIL_REQUIRE").is_ok_and(|value| value == "all");
        return if required {
            Err(reason.into())
        } else {
            Ok(Completion::ignored_with(reason))
        };
    }
    let finding = collector.wait(id, scenario)?;
    let reason = finding.record.reason.clone().unwrap_or_default();
    match finding.record.outcome {
        Outcome::Same => {
            settle::assert_same(&finding, Path::new(env!("CARGO_MANIFEST_DIR")))?;
            Ok(Completion::Completed)
        }
        Outcome::Unsupported => Ok(Completion::ignored_with(format!("unsupported: {reason}"))),
        Outcome::Broken => Err(format!("broken: {reason}").into()),
        // cargo insta goes on to the review by itself.
        Outcome::Changed | Outcome::New if std::env::var_os("INSTA_FORCE_PASS").is_some() => {
            Ok(Completion::Completed)
        }
        Outcome::Changed | Outcome::New => Err(settle::difference(&finding).into()),
    }
}

fn is_different(finding: &Finding) -> bool {
    matches!(finding.record.outcome, Outcome::Changed | Outcome::New)
}
