//! Boots what the trials want, once, and lets each of them wait for its own result.
//!
//! Under `cargo test` all trials are threads of one process. Under nextest each is a process: the
//! first one that wants a kernel boots it and keeps its records in a directory of the run, the
//! others wait for its lock and read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use exetrail::files;
use exetrail::project::Project;
use exetrail::scenario::{Registered, select};
use exetrail::suite::{Cases, Options, ReadyKernel, RunEvent, Stop, Suite, Tally, Work};
use exetrail::view::{Record, ViewName};
use libtest_mimic::{Completion, Failed};

use crate::call::Gate;
use crate::model::SEEDS;
use crate::subject::{Readiness, Subject};
use crate::unseen;

type Key = (String, &'static str);

/// The command.
const PROGRAM: &str = env!("CARGO_BIN_EXE_exetrail");

/// Everything about one run of the tests.
pub struct Collector {
    pub project: Project,
    /// What becomes of trials on a kernel that is not fetched.
    pub gate: Gate,
    /// The views whose observers are armed.
    observe: Vec<ViewName>,
    stop: Stop,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: BTreeMap<Subject, Vec<&'static Registered>>,
    /// The views of scenarios that have a trial in this process.
    judged: BTreeSet<(Subject, &'static str, &'static str)>,
    /// Kernels that run randomly generated execs, after all scenarios.
    cases: BTreeSet<Subject>,
    tallies: BTreeMap<String, Tally>,
    found: BTreeMap<Key, Record>,
    started: bool,
    /// Why nothing more comes; empty when all is well.
    ended: Option<String>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Collector {
    pub fn new(project: Project, observe: Vec<ViewName>, gate: Gate, stop: Stop) -> Collector {
        Collector {
            project,
            gate,
            observe,
            stop,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Asks for a result; the boots begin when the first trial waits.
    pub fn want(&self, subject: &Subject, scenario: &'static Registered) {
        let mut state = self.state();
        let own = state.wanted.entry(subject.clone()).or_default();
        // Several trials may look at one run.
        if own.iter().all(|known| known.name != scenario.name) {
            own.push(scenario);
        }
    }

    /// Asks for a result of which this view is judged.
    pub fn judge(&self, subject: &Subject, scenario: &'static Registered, view: ViewName) {
        self.want(subject, scenario);
        let judged = (subject.clone(), scenario.name, view.as_str());
        self.state().judged.insert(judged);
    }

    /// What becomes of the trial of a view that was not seen. Under nextest each trial is alone.
    pub fn unseen(
        &self,
        subject: &Subject,
        record: &Record,
        view: ViewName,
    ) -> Result<Completion, Failed> {
        let state = self.state();
        unseen::unseen(record, view, |view| {
            let judged = state.judged.iter();
            let mut judged = judged.filter(|(on, _, name)| on == subject && *name == view.as_str());
            judged.any(|(_, scenario, _)| *scenario == record.scenario)
        })
    }

    /// Asks for randomly generated execs.
    pub fn want_cases(&self, subject: &Subject) {
        self.state().cases.insert(subject.clone());
    }

    /// Waits for what became of them.
    pub fn wait_for_cases(self: &Arc<Self>, subject: &Subject) -> Result<Tally, String> {
        if nextest_directory().is_some() {
            // A process of its own, which nobody else waits for.
            let tally = self.play([subject.clone()].into());
            let tally = tally.map_err(|error| format!("{error:#}"))?;
            return tally.into_values().next().ok_or("interrupted".into());
        }
        let name = subject.name();
        self.wait_until(|state| state.tallies.get(&name).cloned())
    }

    /// Waits for the result of one trial.
    pub fn wait(
        self: &Arc<Self>,
        subject: &Subject,
        scenario: &Registered,
    ) -> Result<Record, String> {
        if let Some(directory) = nextest_directory() {
            return self
                .wait_as_process(&directory, subject, scenario)
                .map_err(|error| format!("{error:#}"));
        }
        let key = (subject.name(), scenario.name);
        self.wait_until(|state| state.found.get(&key).cloned())
    }

    /// Waits until something is there; the first to wait starts everything.
    fn wait_until<T>(
        self: &Arc<Self>,
        mut find: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, String> {
        let mut state = self.state();
        if !state.started {
            state.started = true;
            let own = Arc::clone(self);
            state.thread = Some(std::thread::spawn(move || {
                // Whatever becomes of it: whoever waits has no limit of time.
                let _ending = Ending(&own);
                own.collect();
            }));
        }
        loop {
            if let Some(found) = find(&state) {
                return Ok(found);
            }
            if let Some(reason) = &state.ended {
                return Err(format!("not run: {reason}"));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Everything that was found, once nothing more comes.
    pub fn finish(&self) -> Vec<Record> {
        let thread = self.state().thread.take();
        if let Some(thread) = thread {
            // It catches its own errors; a panic of it has been printed.
            let _ = thread.join();
        }
        if let Some(directory) = nextest_directory() {
            return read_all(&directory).unwrap_or_default();
        }
        std::mem::take(&mut self.state().found)
            .into_values()
            .collect()
    }

    fn collect(&self) {
        let wanted = self.state().wanted.clone();
        let result = self.boot(wanted, &mut |record| {
            let name = Registered::find(&record.scenario).map(|found| found.name);
            if let Some(name) = name {
                let subject = record.kernel.label().to_owned();
                self.state().found.insert((subject, name), record);
                self.changed.notify_all();
            }
        });
        let cases = self.state().cases.clone();
        let result = match result {
            Ok(true) => self.play(cases).map(|tallies| {
                self.state().tallies = tallies;
                true
            }),
            other => other,
        };
        let reason = match result {
            Ok(true) => "the run ended without a result".to_owned(),
            Ok(false) => "interrupted".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        self.state().ended = Some(reason);
    }

    /// Runs randomly generated execs on these kernels.
    fn play(&self, subjects: BTreeSet<Subject>) -> Result<BTreeMap<String, Tally>> {
        let mut targets = Vec::new();
        for subject in subjects {
            if let Readiness::Ready(target) = subject.readiness(&self.project)? {
                targets.push(*target);
            }
        }
        let mut tallies = BTreeMap::new();
        let Some(first) = targets.first() else {
            return Ok(tallies);
        };
        let suite = Suite::prepare(&self.project, Path::new(PROGRAM), first, &self.stop)?;
        let (quiet, options) = (|_: &ReadyKernel, _| {}, Options::default());
        suite.play(
            &targets,
            &Cases {
                seeds: SEEDS,
                keep: false,
            },
            &options,
            &self.stop,
            &quiet,
            &mut |place, tally| {
                tallies.insert(targets[place].label().to_owned(), tally);
            },
        );
        Ok(tallies)
    }

    fn boot(
        &self,
        wanted: BTreeMap<Subject, Vec<&'static Registered>>,
        sink: &mut dyn FnMut(Record),
    ) -> Result<bool> {
        let mut work = Vec::new();
        for (subject, scenarios) in wanted {
            if let Readiness::Ready(target) = subject.readiness(&self.project)? {
                work.push(Work {
                    target: *target,
                    scenarios,
                });
            }
        }
        let Some(first) = work.first() else {
            return Ok(true);
        };
        let program = Path::new(PROGRAM);
        let suite = Suite::prepare(&self.project, program, &first.target, &self.stop)?;
        for note in work
            .iter()
            .filter_map(|work| work.target.note.as_ref())
            .chain(&suite.note)
        {
            eprintln!("note: {note}");
        }
        let options = Options {
            observe: self.observe.clone(),
            intruded: Some(Subject::intruded()),
            ..Options::default()
        };
        Ok(suite.run(&work, &options, &self.stop, &mut |event| {
            if let RunEvent::Recorded { record, .. } = event {
                sink(*record);
            }
        }))
    }

    /// One process a trial: the first that wants a kernel boots it with every scenario.
    fn wait_as_process(
        &self,
        directory: &Path,
        subject: &Subject,
        scenario: &Registered,
    ) -> Result<Record> {
        let lock = lock(directory, &subject.name())?;
        let file = directory.join(format!("{}.jsonl", subject.name()));
        if !file.exists() {
            let partial = directory.join(format!("{}.partial", subject.name()));
            let mut out = File::create(&partial).context("failed to keep records")?;
            let wanted = BTreeMap::from([(subject.clone(), select(&[])?)]);
            let mut written = Ok(());
            self.boot(wanted, &mut |record| {
                let line = serde_json::to_string(&record).unwrap_or_default();
                written = std::mem::replace(&mut written, Ok(())).and(writeln!(out, "{line}"));
            })?;
            written.context("failed to keep records")?;
            fs::rename(&partial, &file).context("failed to keep records")?;
        }
        drop(lock);
        let found = read(&file)?
            .into_iter()
            .find(|record| record.scenario == scenario.name);
        found.context("not run: interrupted")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells everybody who waits that nothing more comes.
struct Ending<'a>(&'a Collector);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let panicked = || "the run panicked".to_owned();
        state.ended.get_or_insert_with(panicked);
        self.0.changed.notify_all();
    }
}

/// The directory of this run of nextest; none under `cargo test`. Directories of older runs go
/// away.
fn nextest_directory() -> Option<PathBuf> {
    let run = std::env::var("NEXTEST_RUN_ID").ok()?;
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nextest");
    let directory = parent.join(&run);
    fs::create_dir_all(&directory).ok()?;
    for old in fs::read_dir(&parent).ok()?.flatten() {
        if old.file_name() != run.as_str() {
            // Another process of this run may be faster.
            let _ = fs::remove_dir_all(old.path());
        }
    }
    Some(directory)
}

/// Holds a lock of the run until the file is closed.
pub fn lock(directory: &Path, name: &str) -> Result<File> {
    let path = directory.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("failed to make {}", path.display()))?;
    file.lock()
        .with_context(|| format!("failed to lock {}", path.display()))?;
    Ok(file)
}

fn read(file: &Path) -> Result<Vec<Record>> {
    let input = File::open(file).with_context(|| format!("failed to open {}", file.display()))?;
    let lines = BufReader::new(input).lines();
    lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<Result<_>>()
        .with_context(|| format!("failed to read {}", file.display()))
}

fn read_all(directory: &Path) -> Result<Vec<Record>> {
    let mut all = Vec::new();
    for path in files::list(directory)? {
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            all.extend(read(&path)?);
        }
    }
    Ok(all)
}
