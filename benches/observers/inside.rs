//! What is measured in the guest, of one way of watching.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use exetrail::event::{Report, SIGNS, Sign};
use exetrail::observer::{Kind, Observer, Watch};

use exetrail::subject::{ROLE, Role, SUBJECT};
use exetrail::sys::{self, ForkResult};
use exetrail::trail::{LabKind, Mask, Run};
use exetrail::wire::{Failure, Submit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, execve, getpid};

use super::racers;

/// The program that is started: it exits and does nothing else.
pub const SHORT: &str = "/tmp/short";
/// One with a loader, for what is loaded into programs.
const DYNAMIC: &str = "/usr/bin/true";
/// What is said where the CPU is to be read, and how long nothing is done then.
pub const MARK: &str = "mark";
const IDLE: Duration = Duration::from_millis(300);
/// How many execs are measured together.
const EXECS: usize = 100;
/// How many there are in a block while the machine is busy, how many blocks, and how many processes compute then.
const BLOCK: usize = 10;
const BUSY_BLOCKS: usize = 10;
const BUSY: usize = 2;

/// What was caught, by the name of what tells of it.
type Caught = Vec<(&'static str, usize)>;

/// Says where the parts begin and end whose CPU is measured, and as the last line what was caught.
pub fn measure(way: &str) -> Result<()> {
    fs::create_dir_all("/tmp").context("failed to make /tmp")?;
    fs::write(SHORT, SUBJECT).context("failed to write the program")?;
    fs::set_permissions(SHORT, fs::Permissions::from_mode(0o755)).context("failed to share it")?;
    // The first ones find nothing in any cache.
    block(way, &[], BLOCK)?;
    mark()?;
    block(way, &[], EXECS)?;
    mark()?;
    let caught = match Kind::find(way) {
        Some(kind) => observed(kind)?,
        None => Some(raced(way)?),
    };
    if let Some(caught) = caught {
        let execs = BUSY_BLOCKS * BLOCK;
        let caught = caught.iter();
        let caught = caught.map(|(sign, count)| format!("\t{sign}\t{count}\t{execs}"));
        println!("caught{}", caught.collect::<String>());
    }
    Ok(())
}

/// Has the CPU read that the machine has used, while it does nothing.
fn mark() -> Result<()> {
    println!("{MARK}");
    std::io::stdout().flush().context("failed to say it")?;
    std::thread::sleep(IDLE);
    Ok(())
}

/// Beside an observer of the suite; none where this kernel does not have what it needs.
fn observed(kind: &'static Kind) -> Result<Option<Caught>> {
    let unmet = kind.needs.iter().find(|need| !(need.probe)(LabKind::Vm));
    if let Some(need) = unmet {
        println!("unsupported\tneeds {}", need.what);
        return Ok(None);
    }
    let signs = SIGNS.iter().filter(|sign| sign.view == kind.name);
    // What is looked up is raced, and not asked of one that waits for a process to be held.
    let signs: Vec<&Sign> = signs.filter(|sign| sign.sources != ["/proc"]).collect();
    let mut caught: Caught = signs.iter().map(|sign| (sign.name, 0)).collect();
    let mut observer = (kind.make)();
    observer.set_up(LabKind::Vm).map_err(failed)?;
    let mut watched = Watched {
        kind,
        observer,
        watch: None,
    };
    watched.arm()?;
    mark()?;
    let started = watched.block(EXECS)?;
    mark()?;
    if !kind.is_asked_once() {
        watched.end(&started)?;
    }
    let mut add = |(report, run): (Report, Run)| {
        for (sign, (_, count)) in signs.iter().zip(&mut caught) {
            *count += told(sign, &report, &run);
        }
    };
    let busy = Busy::start()?;
    for _ in 0..BUSY_BLOCKS {
        watched.arm()?;
        let started = watched.block(BLOCK)?;
        if !kind.is_asked_once() {
            watched.end(&started)?.into_iter().for_each(&mut add);
        }
    }
    drop(busy);
    watched.end(&[])?.into_iter().for_each(&mut add);
    Ok(Some(caught))
}

/// Beside a process that looks for itself.
fn raced(way: &str) -> Result<Caught> {
    let sign = racers::sign(way).context("it has no name")?;
    let racer = racers::Racer::start(way)?;
    mark()?;
    block(way, &[], EXECS)?;
    mark()?;
    drop(racer);
    let racer = racers::Racer::start(way)?;
    let busy = Busy::start()?;
    let mut started = Vec::new();
    for _ in 0..BUSY_BLOCKS {
        started.extend(block(way, &[], BLOCK)?);
    }
    drop(busy);
    Ok(vec![(sign, racer.caught(&started)?)])
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow::anyhow!("{failure:?}")
}

/// An observer; one that can be asked once is armed once.
struct Watched {
    kind: &'static Kind,
    observer: Box<dyn Observer>,
    watch: Option<Watch>,
}

impl Watched {
    /// Begins a watch where none goes on.
    fn arm(&mut self) -> Result<()> {
        if self.watch.is_none() {
            let mut watch = watch();
            self.observer.arm(&mut watch).map_err(failed)?;
            self.watch = Some(watch);
        }
        Ok(())
    }

    /// Execs under it, and who was started.
    fn block(&self, execs: usize) -> Result<Vec<i32>> {
        let submits = self.watch.iter().flat_map(|watch| watch.submits.clone());
        block(self.kind.name, &submits.collect::<Vec<_>>(), execs)
    }

    /// Ends the watch that goes on, over these processes.
    fn end(&mut self, started: &[i32]) -> Result<Option<(Report, Run)>> {
        let Some(mut watch) = self.watch.take() else {
            return Ok(None);
        };
        let own = getpid().as_raw();
        watch.run.launcher = own;
        watch.run.pid_max = 4 << 20;
        watch.run.parents = started.iter().map(|pid| (*pid, own)).collect();
        let statement = self.observer.disarm(&mut watch).map_err(failed)?;
        let body = statement
            .map(|statement| statement.body)
            .unwrap_or_default();
        // One that holds has told the run; the stages are no report of execs.
        let report = serde_json::from_value(body).unwrap_or_default();
        Ok(Some((report, watch.run)))
    }
}

/// A watch of everything on the root's file system, which nobody holds anything for.
fn watch() -> Watch {
    let deadline = Instant::now() + Duration::from_secs(60);
    Watch::of(vec![PathBuf::from("/")], None, deadline)
}

/// Of how many processes a sign tells.
fn told(sign: &Sign, report: &Report, run: &Run) -> usize {
    let held = run.sightings.iter();
    let held = held.filter(|step| step.mask == Mask::EXECUTE && step.path == SHORT);
    let held: BTreeSet<i32> = held.map(|step| step.pid).collect();
    let own = report.events.iter().filter(|event| sign.is_of(event));
    let told: BTreeSet<&str> = own.map(|event| event.process.as_str()).collect();
    match sign.view {
        "trail" => held.len(),
        _ => told.len(),
    }
}

/// Processes that compute until they are dropped.
struct Busy(Vec<Pid>);

impl Busy {
    fn start() -> Result<Busy> {
        let mut busy = Busy(Vec::new());
        for _ in 0..BUSY {
            match sys::fork().context("failed to fork")? {
                ForkResult::Child => loop {
                    std::hint::spin_loop();
                },
                ForkResult::Parent { child } => busy.0.push(child),
            }
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for pid in &self.0 {
            // They compute until they are killed.
            let _ = kill(*pid, Signal::SIGKILL);
            let _ = waitpid(*pid, None);
        }
    }
}

/// Has a process of its own start programs, one after the other: it submits itself, so that whom it starts is
/// watched as well.
fn block(way: &str, submits: &[Submit], execs: usize) -> Result<Vec<i32>> {
    let program = if way == "ld-preload" { DYNAMIC } else { SHORT };
    let program = CString::new(program)?;
    let mut environment = vec![CString::new(format!("{ROLE}={}", Role::Exit.name()))?];
    for submit in submits {
        if let Submit::Library(place) = submit {
            environment.push(CString::new(format!("LD_PRELOAD={place}"))?);
        }
    }
    let act = || -> Result<Vec<i32>> {
        submits.iter().try_for_each(exetrail::scenario::submit)?;
        (0..execs).map(|_| start(&program, &environment)).collect()
    };
    let (mut hear, say) = std::io::pipe().context("failed to make a pipe")?;
    match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            let found = act().map_err(|error| format!("{error:#}"));
            let told = serde_json::to_writer(say, &found);
            sys::exit_now(i32::from(told.is_err()))
        }
        ForkResult::Parent { child } => {
            drop(say);
            let mut found = Vec::new();
            hear.read_to_end(&mut found)
                .context("failed to hear of the execs")?;
            waitpid(child, None).context("failed to reap who started them")?;
            let found: Result<Vec<i32>, String> =
                serde_json::from_slice(&found).context("nothing was said of the execs")?;
            found.map_err(anyhow::Error::msg)
        }
    }
}

/// Starts a program and waits for its end.
fn start(program: &CString, environment: &[CString]) -> Result<i32> {
    match sys::fork().context("failed to fork")? {
        ForkResult::Child => {
            let _ = execve(program, &[program], environment);
            sys::exit_now(1)
        }
        ForkResult::Parent { child } => match waitpid(child, None) {
            Ok(WaitStatus::Exited(pid, 0)) => Ok(pid.as_raw()),
            other => bail!("the program ended otherwise: {other:?}"),
        },
    }
}
