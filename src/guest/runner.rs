//! PID 1 in the scenarios' root: runs what the plan asks for and sends what was seen.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::tracer::Tracer;
use super::undo::Undo;
use super::{Contents, HOME, View, chance, channel, command, launcher, report, running_kernel};
use crate::model::{self, Either, Witness, World};
use crate::observer::fanotify::Monitor;
use crate::observer::{Observation, Observer};
use crate::scenario::{Ending, Hang, Registered, Reply, Request, Stage};
use crate::sys::{self, ForkResult};
use crate::trail::{Agreement, Case, Lab, Run, Trail, normalise};
use crate::wire::{Failure, Fault, Job, Link, LinkError, Message, Plan, Policy, until};

/// Runs the plan to its end and ends the lab.
pub fn main(lab: Lab) -> ExitCode {
    let result = channel::open(lab).and_then(|mut link| {
        let result = run(lab, &mut link);
        if let Err(error) = &result {
            let reason = format!("PID 1: {error:#}");
            link.send(&Message::Failed { reason })
                .context("failed to report")?;
        }
        channel::drain(&link);
        result
    });
    if let Err(error) = result {
        eprintln!("exetrail: PID 1 failed: {error:#}");
    }
    channel::end(lab);
    ExitCode::FAILURE
}

fn run(lab: Lab, link: &mut Link) -> Result<()> {
    let plan = fs::read(Path::new(HOME).join("plan.json")).context("failed to read the plan")?;
    let plan: Plan = serde_json::from_slice(&plan).context("failed to read the plan")?;
    limits(lab).context("failed to set limits")?;
    let children = child_signals().context("failed to ask for signals of children")?;
    let uname = nix::sys::utsname::uname().context("failed to ask for the release")?;
    link.send(&Message::Hello {
        release: uname.release().to_string_lossy().into_owned(),
        version: uname.version().to_string_lossy().into_owned(),
    })?;
    if lab == Lab::Native {
        use_up_two().context("failed to use up process id 2")?;
    }
    let mut eyes = Eyes {
        contents: Contents::default(),
        tracer: Tracer::new(lab, plan.tracing),
    };
    eyes.contents.read_all(Path::new("/"));
    match &plan.job {
        Job::Scenarios(names) => {
            for name in names {
                let scenario = name.clone();
                link.send(&Message::Started { scenario })?;
                let fault = plan.faults.get(name).copied();
                eyes.tracer.scenario(name, fault);
                let result = one(lab, name, &plan, link, &children, &mut eyes);
                let (result, model) = match result {
                    Ok((trail, agreement)) => (Ok(Box::new(trail)), Some(agreement)),
                    Err(failure) => (Err(failure), None),
                };
                link.send(&Message::Finished {
                    scenario: name.clone(),
                    inside: eyes.tracer.take(),
                    result,
                    model,
                })?;
            }
            eyes.tracer.remove()?;
        }
        Job::Cases { seeds } => {
            for seed in seeds.clone() {
                chance::one(lab, seed, link, &children, &mut eyes)?;
            }
        }
        Job::Command { argv, terminal } => match lab {
            Lab::Vm => command::run(argv, *terminal, link)?,
            Lab::Native => bail!("the native lab runs scenarios alone"),
        },
    }
    link.send(&Message::Done)?;
    Ok(())
}

/// Limits that could change what programs do are the same on every kernel.
fn limits(lab: Lab) -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, 1024, 4096)?;
    setrlimit(Resource::RLIMIT_STACK, 8 << 20, u64::MAX)?;
    setrlimit(Resource::RLIMIT_CORE, 0, u64::MAX)?;
    match lab {
        // Older kernels ask modprobe about formats that they do not know: a start of its own.
        // Of nothing at all nothing would be written.
        Lab::Vm => match fs::write("/proc/sys/kernel/modprobe", "\n") {
            // A kernel without modules asks nobody.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Errno::EACCES),
            _ => Ok(()),
        },
        // The setting is everybody's, and the helper would not be seen: it is outside.
        Lab::Native => Ok(()),
    }
}

/// In a machine process 2 is kthreadd, and its number means that; in a pid namespace it is the
/// first child, which must be none of the scenarios'.
fn use_up_two() -> nix::Result<()> {
    match sys::fork()? {
        ForkResult::Child => sys::exit_now(0),
        ForkResult::Parent { child } => waitpid(child, None).map(drop),
    }
}

fn one(
    lab: Lab,
    name: &str,
    plan: &Plan,
    link: &Link,
    children: &SignalFd,
    eyes: &mut Eyes,
) -> Result<(Trail, Agreement), Failure> {
    let broken = |error: anyhow::Error| Failure::Broken(format!("{error:#}"));
    let registered = Registered::find(name)
        .ok_or_else(|| Failure::Broken(format!("the guest knows no scenario {name}")))?;
    let needs = registered.scenario.needs.iter();
    let unmet: Vec<_> = needs.filter(|need| !(need.probe)(lab)).collect();
    if !unmet.is_empty() {
        return Err(Failure::Unsupported(
            unmet.iter().map(|need| need.what.to_owned()).collect(),
        ));
    }
    let fault = plan.faults.get(name).copied();
    commit(lab, fault, link).map_err(broken)?;
    let own = plan.deadline_ms.map(Duration::from_millis);
    let time = own.unwrap_or(registered.scenario.deadline);
    let mut undo = Undo::new(lab).map_err(broken)?;
    let work = Work {
        run: &registered.scenario.run,
        hang: registered.scenario.hang,
    };
    let result = observe(&work, time, fault, &mut undo, eyes);
    let cleaned = end_everybody(children).and(undo.all());
    let seen = result.map_err(broken)?;
    cleaned.map_err(broken)?;
    if seen.0 == Trail::default() {
        return Err(Failure::Broken("the scenario started nothing".to_owned()));
    }
    Ok(seen)
}

/// Commits the faults that are PID 1's own.
fn commit(lab: Lab, fault: Option<Fault>, link: &Link) -> Result<()> {
    match fault {
        Some(Fault::Panic) if lab == Lab::Native => {
            bail!("the running kernel is not ours to panic")
        }
        Some(Fault::Panic) => {
            fs::write("/proc/sysrq-trigger", "c").context("failed to panic")?;
            bail!("the kernel did not panic")
        }
        Some(Fault::Hang) => loop {
            nix::unistd::pause();
        },
        Some(Fault::Cut) => {
            nix::unistd::write(link, b"{\"message\":\"fini").context("failed to cut")?;
            channel::drain(link);
            channel::end(lab);
            sys::exit_now(1)
        }
        Some(Fault::Stuck | Fault::Wedge | Fault::Lost | Fault::Traced) | None => Ok(()),
    }
}

/// What one sees with, besides the monitor.
pub(super) struct Eyes {
    /// What is in the fixture's files.
    pub contents: Contents,
    /// Where the kernel is.
    pub tracer: Tracer,
}

/// What a launcher does.
pub(super) struct Work<'a> {
    /// What makes files and starts programs.
    pub run: &'a dyn Fn(&mut Stage) -> Result<()>,
    /// What it is when the listener hangs.
    pub hang: Hang,
}

/// Does some work in a launcher of its own, each start watched by a monitor of its own.
pub(super) fn observe(
    work: &Work<'_>,
    time: Duration,
    fault: Option<Fault>,
    undo: &mut Undo,
    eyes: &mut Eyes,
) -> Result<(Trail, Agreement)> {
    let mut deadline = Instant::now() + time;
    let (mut link, theirs) = Link::pair().context("failed to make the launcher's link")?;
    let launcher = match sys::fork().context("failed to fork the launcher")? {
        ForkResult::Child => {
            drop(link);
            if fault == Some(Fault::Stuck) {
                loop {
                    nix::unistd::pause();
                }
            }
            launcher::serve(theirs, work.run, eyes.contents.clone());
            sys::exit_now(0);
        }
        ForkResult::Parent { child } => child,
    };
    drop(theirs);
    let mut monitor = None;
    let mut trail = Trail::default();
    let mut agreement = Agreement::default();
    loop {
        let request = link.receive(deadline);
        if matches!(request, Err(LinkError::Deadline))
            && work.hang == Hang::Observed
            && let Some(hang) = monitor.as_ref().and_then(hang)
        {
            // Its death lets everybody go; the launcher then tells how it ended.
            monitor = None;
            trail.hang = Some(hang);
            deadline = Instant::now() + time;
            continue;
        }
        let request: Request = request.map_err(|error| {
            anyhow!(
                "the scenario did not come to its end within {} s ({error}); still there: {}",
                time.as_secs(),
                report::living()
            )
        })?;
        let reply = match request {
            Request::Done(result) => {
                link.send(&Reply::Ok)?;
                result.map_err(|reason| anyhow!("the scenario failed: {reason}"))?;
                break;
            }
            Request::Verdict(verdict) => {
                trail.verdicts.push(verdict);
                Ok(Reply::Ok)
            }
            Request::Fact(fact) => {
                trail.facts.push(fact);
                Ok(Reply::Ok)
            }
            Request::Sysctl { name, value } => undo.sysctl(&name, &value).map(|()| Reply::Ok),
            Request::Remove(path) => undo.path(path).map(|()| Reply::Ok),
            Request::Format { name, rule } => undo.format(&name, &rule).map(|()| Reply::Ok),
            Request::Arm { also, policy } => arm(&also, policy, fault, deadline, &mut eyes.tracer)
                .map(|armed| {
                    monitor = Some(armed);
                    Reply::Ok
                }),
            Request::Disarm(ending) => {
                let seen = match monitor.take() {
                    Some(monitor) => disarm(monitor, &ending, deadline),
                    None if trail.hang.is_some() => Ok(Observation::default()),
                    None => Err(anyhow!("nothing was watched")),
                };
                let hang = trail.hang.take();
                seen.and_then(|seen| {
                    let events = events(&seen);
                    let run = numbers(launcher.as_raw(), &ending, seen)?;
                    eyes.tracer.end(&run);
                    let one = Trail {
                        hang,
                        ..normalise(&run)
                    };
                    agreement.add(agrees(&one, &ending, &eyes.contents)?);
                    add(&mut trail, one, ending.heading)?;
                    Ok(Reply::Seen(events))
                })
            }
        };
        // A launcher that cannot do its work says so with `Done`, in its own words.
        link.send(&match reply {
            Ok(reply) => reply,
            Err(error) => Reply::Failed(format!("{error:#}")),
        })?;
    }
    Ok((trail, agreement))
}

fn arm(
    also: &[PathBuf],
    policy: Option<Policy>,
    fault: Option<Fault>,
    deadline: Instant,
    tracer: &mut Tracer,
) -> Result<Monitor> {
    let mut paths = vec![PathBuf::from("/")];
    paths.extend(also.iter().cloned());
    let mut monitor = Monitor::start(&paths, policy, tracer.begin())?;
    monitor.arm(deadline)?;
    if fault == Some(Fault::Wedge) {
        monitor.hang()?;
    }
    Ok(monitor)
}

/// Ends a watch.
fn disarm(mut monitor: Monitor, ending: &Ending, deadline: Instant) -> Result<Observation> {
    monitor.wait_for(ending.helper.clone());
    let seen = monitor
        .disarm(deadline)
        .with_context(|| format!("still there: {}", report::living()))?;
    if seen.lost != 0 {
        bail!("{} events were lost", seen.lost);
    }
    Ok(seen)
}

/// The events of a watch in words.
fn events(seen: &Observation) -> Vec<String> {
    let events = seen.sightings.iter();
    let events = events.map(|seen| format!("{} {}", seen.mask.name(), seen.path));
    events.collect()
}

/// Adds what was seen of one start to the scenario's trail.
fn add(trail: &mut Trail, one: Trail, heading: Option<String>) -> Result<()> {
    match heading {
        Some(heading) => trail.cases.push(Case {
            heading,
            trail: one,
        }),
        None if *trail == Trail::default() => *trail = one,
        None => bail!("a scenario of several starts gives each a heading"),
    }
    Ok(())
}

/// Holds what was seen of one start against the model.
fn agrees(trail: &Trail, ending: &Ending, contents: &Contents) -> Result<Agreement> {
    let kernel = running_kernel().context("the kernel has no release that can be read")?;
    // Files that the call itself did not come to are as they are left.
    let view = View::of(std::process::id(), contents, &[PathBuf::from("/")]).afterwards();
    let nothing = World::default();
    let premise = ending.premise.as_ref();
    Ok(model::check(&Witness {
        trail,
        call: premise.map(|premise| &premise.call),
        files: &Either(premise.map_or(&nothing, |premise| &premise.world), &view),
        kernel,
        cut: ending.cut,
    }))
}

/// Everything that one start left, with the kernel's numbers in it.
fn numbers(launcher: i32, ending: &Ending, seen: Observation) -> Result<Run> {
    Ok(Run {
        launcher,
        pid_max: pid_max()?,
        calls: vec![ending.call.clone()],
        parents: seen.parents,
        sightings: seen.sightings,
        exits: ending.exits.clone(),
        words: ending.words.clone(),
    })
}

/// A monitor that stands still inside the kernel, in words; none when it only has nothing to do.
fn hang(monitor: &Monitor) -> Option<String> {
    let state = report::state(monitor.pid());
    (state == "D").then(|| "monitor (D): the listener waits inside the kernel".to_owned())
}

fn pid_max() -> Result<i32> {
    let text = fs::read_to_string("/proc/sys/kernel/pid_max").context("failed to read pid_max")?;
    text.trim().parse().context("failed to read pid_max")
}

/// Kills and reaps everything that is left of a scenario.
///
/// The monitor is gone by now and has let everybody go; what cannot be killed even so is stuck in
/// the kernel, and then the host gives up on this boot.
pub(super) fn end_everybody(children: &SignalFd) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => bail!("failed to end what the scenario left: {errno}"),
    }
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) => {
                let mut fds = [PollFd::new(children.as_fd(), PollFlags::POLLIN)];
                if poll(&mut fds, until(deadline)) == Ok(0) {
                    bail!(
                        "what the scenario left cannot be killed: {}",
                        report::living()
                    );
                }
                // One signal may stand for several children: the loop reaps until none is ready.
                while let Ok(Some(_)) = children.read_signal() {}
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to reap"),
        }
    }
}

/// Becomes readable when a child ends.
fn child_signals() -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}
