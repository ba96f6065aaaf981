//! What becomes of a native run when something fails, and that nothing of it is ever left: no
//! process, no cgroup, no mount. Needs root.

mod call;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use call::Gate;
use exetrail::native;
use exetrail::project::Project;
use exetrail::scenario::select;
use exetrail::suite::{Options, ReadyKernel, RunEvent, Stop, Suite, Work};
use exetrail::trail::Outcome;
use exetrail::view::{Record, STAGES, TRAIL};
use exetrail::wire::Fault;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The scenarios that run; the fault is in the second.
const SCENARIOS: [&str; 3] = ["start/direct_ldso", "start/fexecve", "start/shebang"];
const FAULTY: &str = SCENARIOS[1];

/// A fault, who is killed on top of it, what the reason says, and how many labs it takes.
struct Case {
    name: &'static str,
    fault: Fault,
    killed: Killed,
    reason: &'static str,
    labs: usize,
}

/// Who is killed when the faulty scenario begins.
#[derive(Clone, Copy)]
enum Killed {
    Nobody,
    Keeper,
    PidOne,
}

const CASES: [Case; 7] = [
    case(
        "launcher_is_stuck",
        Fault::Stuck,
        Killed::Nobody,
        "stood still for",
        1,
    ),
    case(
        "monitor_is_wedged",
        Fault::Wedge,
        Killed::Nobody,
        "stood still for",
        1,
    ),
    case(
        "no_panic",
        Fault::Panic,
        Killed::Nobody,
        "not ours to panic",
        1,
    ),
    case(
        "pid_1_hangs",
        Fault::Hang,
        Killed::Nobody,
        "the native lab hangs",
        2,
    ),
    case(
        "channel_is_cut",
        Fault::Cut,
        Killed::Nobody,
        "in the middle of a message",
        2,
    ),
    case(
        "keeper_is_killed",
        Fault::Hang,
        Killed::Keeper,
        "ended before it was done",
        2,
    ),
    case(
        "pid_1_is_killed",
        Fault::Hang,
        Killed::PidOne,
        "ended before it was done",
        2,
    ),
];

const fn case(
    name: &'static str,
    fault: Fault,
    killed: Killed,
    reason: &'static str,
    labs: usize,
) -> Case {
    Case {
        name,
        fault,
        killed,
        reason,
        labs,
    }
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // Each looks for what is left of its own lab.
    args.test_threads = Some(1);
    let rig = match Rig::open() {
        Ok(rig) => Arc::new(rig),
        Err(error) => {
            eprintln!("native: {error:#}");
            return ExitCode::from(2);
        }
    };
    let trials = CASES.iter().map(|case| {
        let rig = Arc::clone(&rig);
        Trial::ignorable_test(format!("native::{}", case.name), move || rig.run(case))
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

struct Rig {
    project: Project,
    stop: Stop,
    gate: Gate,
}

impl Rig {
    fn open() -> Result<Rig> {
        let stop = Stop::listen()?;
        // Whatever a lab leaves becomes our child.
        nix::sys::prctl::set_child_subreaper(true).context("failed to become the subreaper")?;
        Ok(Rig {
            project: call::project()?,
            stop,
            gate: Gate::of_environment()?,
        })
    }

    fn run(&self, case: &Case) -> Result<Completion, Failed> {
        let ready = native::check().and_then(|()| self.project.fixture().map(drop));
        let lack = ready.err().map(|error| format!("{error:#}"));
        self.gate.run(lack.as_deref(), || {
            self.check(case)
                .map_err(|error| format!("{error:#}").into())
        })
    }

    fn check(&self, case: &Case) -> Result<()> {
        let mounts = mounts()?;
        let (records, labs) = self.commit(case)?;
        for (name, record) in &records {
            let seen = record.of(TRAIL).context("a record without a trail")?;
            let text = seen.reason.as_deref().unwrap_or_default();
            match name == FAULTY {
                true => ensure!(
                    seen.outcome == Outcome::Broken && text.contains(case.reason),
                    "{name} is {}: {text}",
                    seen.outcome
                ),
                false => ensure!(seen.outcome != Outcome::Broken, "{name} is broken: {text}"),
            }
        }
        ensure!(
            records.len() == SCENARIOS.len(),
            "{} records",
            records.len()
        );
        ensure!(labs == case.labs, "{labs} labs instead of {}", case.labs);
        ensure!(self::mounts()? == mounts, "mounts are left");
        ensure!(native::left().is_empty(), "left: {:?}", native::left());
        nobody_is_left()
    }

    fn commit(&self, case: &Case) -> Result<(BTreeMap<String, Record>, usize)> {
        let program = Path::new(env!("CARGO_BIN_EXE_exetrail"));
        let target = ReadyKernel::running()?;
        let suite = Suite::prepare(&self.project, program, &target, &self.stop)?;
        let scenarios = select(&SCENARIOS.map(ToOwned::to_owned))?;
        let options = Options {
            faults: BTreeMap::from([(FAULTY.to_owned(), case.fault)]),
            observe: vec![TRAIL, STAGES],
            deadlines: BTreeMap::from([(FAULTY.to_owned(), Duration::from_secs(3))]),
            grace: Duration::from_secs(3),
            ..Options::default()
        };
        let (mut records, mut labs) = (BTreeMap::new(), 0);
        let mut failed = None;
        suite.run(
            &[Work { target, scenarios }],
            &options,
            &self.stop,
            &mut |event| match event {
                RunEvent::Booting { .. } => labs += 1,
                RunEvent::Running { scenario, .. } if scenario == FAULTY => {
                    failed = failed.take().or(strike(case.killed).err());
                }
                RunEvent::Recorded { record, .. } => {
                    records.insert(record.scenario.clone(), *record);
                }
                RunEvent::Running { .. } | RunEvent::Note { .. } | RunEvent::Ended { .. } => {}
            },
        );
        match failed {
            Some(error) => Err(error),
            None => Ok((records, labs)),
        }
    }
}

/// Every process that a killed keeper left to us ends by itself, and soon.
fn nobody_is_left() -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) => {
                ensure!(Instant::now() < deadline, "processes are left");
                std::thread::yield_now();
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to reap"),
        }
    }
}

/// Kills who is to be killed.
fn strike(killed: Killed) -> Result<()> {
    let own = std::process::id();
    let victim = match killed {
        Killed::Nobody => return Ok(()),
        Killed::Keeper => child_of(own)?,
        Killed::PidOne => child_of(child_of(own)?)?,
    };
    let pid = Pid::from_raw(victim.cast_signed());
    kill(pid, Signal::SIGKILL).context("failed to kill")
}

fn child_of(parent: u32) -> Result<u32> {
    for entry in fs::read_dir("/proc")
        .context("failed to list processes")?
        .flatten()
    {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent_of = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1));
        if parent_of == Some(parent.to_string().as_str()) {
            return Ok(pid);
        }
    }
    anyhow::bail!("process {parent} has no child")
}

fn mounts() -> Result<String> {
    fs::read_to_string("/proc/self/mountinfo").context("failed to read the mounts")
}
