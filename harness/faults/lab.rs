//! What the trials stand on: the newest kernel that is fetched, and what is seen of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use exetrail::project::Project;
use exetrail::scenario::{Registered, select};
use exetrail::suite::{Cases, Options, ReadyKernel, RunEvent, Stop, Suite, Tally, Work};
use exetrail::trail::Outcome;
use exetrail::view::{Record, STAGES, TRAIL};
use exetrail::vm::machine::Kernel;
use exetrail::wire::Fault;
use libtest_mimic::{Completion, Failed};

use crate::call::{self, Gate, NO_KERNEL, Need};

/// The scenarios that run; the fault is in the second.
pub const SCENARIOS: [&str; 3] = ["start/direct_ldso", "start/fexecve", "start/shebang"];
pub const FAULTY: &str = SCENARIOS[1];

/// Commits one fault and looks at what becomes of the run.
pub type Check = fn(&Lab) -> Result<(), Failed>;

/// The newest kernel that is fetched, and what boots it.
pub struct Lab {
    pub project: Project,
    pub target: Option<ReadyKernel>,
    pub stop: Stop,
    gate: Gate,
    /// Why the command cannot be given namespaces of its own.
    confined: Option<String>,
}

impl Lab {
    pub fn open() -> Result<Lab> {
        let stop = Stop::listen()?;
        let project = call::project()?;
        Ok(Lab {
            target: call::newest(&project)?,
            project,
            stop,
            gate: Gate::of_environment()?,
            confined: Need::Namespaces.lack()?,
        })
    }

    pub fn run(&self, check: Check) -> Result<Completion, Failed> {
        let lack = self.target.is_none().then_some(NO_KERNEL);
        self.gate.run(lack, || check(self))
    }

    /// The same for what calls the command in namespaces of its own.
    pub fn run_isolated(&self, check: Check) -> Result<Completion, Failed> {
        match &self.confined {
            Some(reason) => self.gate.not_run(reason),
            None => self.run(check),
        }
    }

    pub fn target(&self) -> ReadyKernel {
        self.target.clone().expect("checked in run")
    }

    /// The same with another cache, in which are kernels, fixture and no states.
    pub fn with_cache(&self, cache: &Path) -> Result<Project> {
        for entry in exetrail::files::list(&self.project.cache)? {
            let name = exetrail::files::name(&entry);
            if !name.starts_with("partial") && name != "warm" {
                let place = cache.join(name);
                std::os::unix::fs::symlink(&entry, place).context("failed to link")?;
            }
        }
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        Project::open_at(Some(root), cache.to_owned())
    }

    /// Runs the three scenarios; returns their records by name and how often a guest was booted.
    pub fn boot(
        &self,
        target: ReadyKernel,
        options: Options,
        on: &mut dyn FnMut(&RunEvent),
    ) -> Result<Seen> {
        self.boot_in(&self.project, &SCENARIOS, target, options, on)
    }

    /// The same for other scenarios, or in another cache.
    pub fn boot_in(
        &self,
        project: &Project,
        names: &[&str],
        target: ReadyKernel,
        options: Options,
        on: &mut dyn FnMut(&RunEvent),
    ) -> Result<Seen> {
        let suite = self.suite(project)?;
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let scenarios: Vec<&Registered> = select(&names)?;
        let mut seen = Seen::default();
        suite.run(
            &[Work { target, scenarios }],
            &options,
            &self.stop,
            &mut |event| {
                on(&event);
                match event {
                    RunEvent::Booting { .. } => seen.boots += 1,
                    RunEvent::Recorded { record, .. } => {
                        seen.records.insert(record.scenario.clone(), *record);
                    }
                    RunEvent::Note { text, .. } => seen.notes.push(text),
                    RunEvent::Running { .. } | RunEvent::Ended { .. } => {}
                }
            },
        );
        Ok(seen)
    }

    pub fn suite(&self, project: &Project) -> Result<Suite> {
        let program = Path::new(env!("CARGO_BIN_EXE_exetrail"));
        Suite::prepare(project, program, &self.target(), &self.stop)
    }

    /// Runs scenarios on a kernel that is given in bytes.
    pub fn boot_kernel(&self, bytes: &[u8], names: &[&str], options: Options) -> Result<Seen> {
        let (_file, target) = self.of_bytes(bytes)?;
        // Its states would be nobody's.
        let cache = tempfile::tempdir().context("failed to make a directory")?;
        let project = self.with_cache(cache.path())?;
        self.boot_in(&project, names, target, options, &mut |_| {})
    }

    /// The kernel of these bytes, which lies in a file for as long as that is kept.
    fn of_bytes(&self, bytes: &[u8]) -> Result<(tempfile::NamedTempFile, ReadyKernel)> {
        let file = tempfile::NamedTempFile::new().context("failed to make a file")?;
        fs::write(file.path(), bytes).context("failed to write a kernel")?;
        let target = ReadyKernel {
            kernel: Some(Kernel::File(file.path().to_owned())),
            ..self.target()
        };
        Ok((file, target))
    }

    /// Plays three generated cases on such a kernel.
    pub fn cases_on_kernel(&self, bytes: &[u8], options: &Options) -> Result<Tally> {
        let (_file, target) = self.of_bytes(bytes)?;
        let cases = Cases {
            seeds: 0..3,
            keep: false,
        };
        let mut seen = Tally::default();
        let suite = self.suite(&self.project)?;
        suite.play(
            &[target],
            &cases,
            options,
            &self.stop,
            &|_, _| {},
            &mut |_, tally| seen = tally,
        );
        Ok(seen)
    }

    pub fn with_fault(&self, fault: Fault) -> Result<Seen> {
        self.boot(self.target(), faulty(fault), &mut |_| {})
    }

    /// The same under the tracer.
    pub fn traced_with_fault(&self, fault: Fault) -> Result<Seen> {
        self.boot(self.target(), traced(faulty(fault)), &mut |_| {})
    }
}

/// The trail alone: what becomes of a machine does not depend on who else watches.
pub fn options() -> Options {
    Options {
        observe: vec![TRAIL],
        ..Options::default()
    }
}

/// The same with the kernel's stages beside it.
pub fn traced(options: Options) -> Options {
    Options {
        observe: vec![TRAIL, STAGES],
        ..options
    }
}

/// The others have their own deadline: on a busy machine two seconds are no time for them.
pub fn faulty(fault: Fault) -> Options {
    Options {
        faults: BTreeMap::from([(FAULTY.to_owned(), fault)]),
        deadlines: BTreeMap::from([(FAULTY.to_owned(), Duration::from_secs(2))]),
        grace: Duration::from_secs(3),
        ..options()
    }
}

#[derive(Default)]
pub struct Seen {
    pub records: BTreeMap<String, Record>,
    pub boots: usize,
    /// What was said of states.
    pub notes: Vec<String>,
}

impl Seen {
    /// The faulty scenario is broken for a reason with all of these in it, the others are the same.
    pub fn check(&self, boots: usize, reason: &[&str]) -> Result<(), Failed> {
        for (name, record) in &self.records {
            let (outcome, text) = trail_of(record);
            if name != FAULTY && outcome != Outcome::Same {
                return Err(format!("{name} is {outcome}: {text}").into());
            }
            let missing = reason
                .iter()
                .find(|part| name == FAULTY && !text.contains(**part));
            if let Some(missing) = missing {
                return Err(format!("\"{missing}\" is not in the reason: {text}").into());
            }
        }
        let broken = self.records.get(FAULTY).map(|record| trail_of(record).0);
        if self.records.len() != SCENARIOS.len() || broken != Some(Outcome::Broken) {
            return Err(format!("{FAULTY} is {broken:?}, {} records", self.records.len()).into());
        }
        match self.boots == boots {
            true => no_qemu_is_left(),
            false => Err(format!("{} boots instead of {boots}", self.boots).into()),
        }
    }

    /// Every scenario is the same, and all of this was said of states; nothing where it is empty.
    pub fn check_all_same(&self, said: &[&str]) -> Result<(), Failed> {
        for (name, record) in &self.records {
            let (outcome, text) = trail_of(record);
            if outcome != Outcome::Same {
                return Err(format!("{name} is {outcome}: {text}").into());
            }
        }
        let notes = self.notes.join("; ");
        let missing = said.iter().find(|part| !notes.contains(**part));
        if missing.is_some() || (said.is_empty() && !notes.is_empty()) {
            return Err(format!("{notes:?} was said, wanted {said:?}").into());
        }
        match self.records.len() == SCENARIOS.len() {
            true => no_qemu_is_left(),
            false => Err(format!("{} records", self.records.len()).into()),
        }
    }

    /// Every scenario is broken for a reason with all of these in it, after one boot.
    pub fn check_all_broken(&self, reason: &[&str]) -> Result<(), Failed> {
        for record in self.records.values() {
            let (outcome, text) = trail_of(record);
            let missing = reason.iter().find(|part| !text.contains(**part));
            if outcome != Outcome::Broken || missing.is_some() {
                return Err(format!("{outcome}: {text}, wanted {reason:?}").into());
            }
        }
        match (self.records.len(), self.boots) {
            (3, 1) => no_qemu_is_left(),
            (records, boots) => Err(format!("{records} records, {boots} boots").into()),
        }
    }
}

/// Outcome and reason of a trail.
pub fn trail_of(record: &Record) -> (Outcome, &str) {
    let seen = record.of(TRAIL).expect("every record has a trail's place");
    (seen.outcome, seen.reason.as_deref().unwrap_or_default())
}

/// Outcome and reason of the stages; none where they were not recorded.
pub fn stages_of(record: &Record) -> Option<(Outcome, Option<String>)> {
    let seen = record.of(STAGES)?;
    Some((seen.outcome, seen.reason.clone()))
}

/// Every QEMU that this process has started and not reaped.
pub fn own_qemu() -> Vec<i32> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let is_ours = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (comm, rest) = stat.rsplit_once(')').unwrap_or_default();
        comm.contains("(qemu-system") && rest.split_whitespace().nth(1) == Some(&own)
    };
    pids.filter(is_ours).collect()
}

pub fn no_qemu_is_left() -> Result<(), Failed> {
    match own_qemu().is_empty() {
        true => Ok(()),
        false => Err("a QEMU is left behind".into()),
    }
}
