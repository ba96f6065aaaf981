//! PID 1 in the scenarios' root: runs what the plan asks for and sends what was seen.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::clearing::{child_signals, end_everybody};
use super::fault::{Listener, Moment, Nobody};
use super::observers::Observers;
use super::output::Output;
use super::still::{self, Still};
use super::task::{Doing, Own};
use super::undo::Undo;
use super::unfinished::{Ending, GivenUp, Unfinished, stood_still};
use super::{
    FileView, Inspected, chance, channel, command, launcher, orders, report, running_kernel,
};
use crate::cases::kept::Kept;
use crate::files;
use crate::model::{self, Either, Recording, Witness, World};
use crate::need::asked;
use crate::observer::Watch;
use crate::proc;
use crate::scenario::{Hang, LaunchEnding, Reply, Request, keep_counting};
use crate::sys::{self, ForkResult};
use crate::trail::{Agreement, LabKind, Run, Section, Trail, normalise};
use crate::wire::{
    Ask, Failure, GuestPlan, Job, Link, LinkError, Lost, Message, Policy, Sent, Submit, Written,
};

/// The view that the runner itself puts together, from what the holder saw.
pub(super) const TRAIL: &str = crate::observer::fanotify::KIND.name;

/// Runs the plan to its end and ends the lab.
pub fn main(lab: LabKind) -> ExitCode {
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
        tell!("exetrail: PID 1 failed: {error:#}");
    }
    channel::end(lab);
    ExitCode::FAILURE
}

fn run(lab: LabKind, link: &mut Link) -> Result<()> {
    limits(lab).context("failed to set limits")?;
    keep_counting();
    let children = child_signals().context("failed to ask for signals of children")?;
    if lab == LabKind::Native {
        use_up_two().context("failed to use up process id 2")?;
    }
    let mut boot = Boot {
        lab,
        contents: Inspected::default(),
        observers: Observers::new(lab),
        children,
        kept: None,
        output: None,
    };
    let plan = orders::in_image()?;
    // A command's root may be large, and it wants nothing of it; its plan stands in the image.
    if !matches!(&plan, Some(plan) if matches!(plan.job, Job::Command { .. })) {
        boot.contents.read_all(Path::new("/"));
    }
    let plan = match plan {
        Some(plan) => plan,
        None => orders::await_plan(link, &mut boot.observers)?,
    };
    let uname = nix::sys::utsname::uname().context("failed to ask for the release")?;
    link.send(&Message::Hello {
        release: uname.release().to_string_lossy().into_owned(),
        version: uname.version().to_string_lossy().into_owned(),
    })?;
    boot.observers.plan(&plan);
    match &plan.job {
        Job::Scenarios(asks) => {
            for ask in asks {
                let scenario = ask.scenario.clone();
                link.send(&Message::Started { scenario })?;
                // If the kernel dies of this one, what is not out yet dies with it: then the host would take the
                // one before for the reason.
                channel::drain(link);
                boot.observers.want(&ask.observe);
                boot.output = match ask.output {
                    Written::Sent => Output::new().ok(),
                    Written::Dropped => None,
                };
                let (result, model) = match one(ask, &plan, link, &mut boot) {
                    Ok((trail, agreement)) => {
                        let body =
                            serde_json::to_value(trail).context("failed to write a trail")?;
                        (Ok(body), Some(agreement))
                    }
                    Err(failure) => (Err(failure), None),
                };
                let mut seen = vec![Sent {
                    view: TRAIL.to_owned(),
                    result,
                    lost: Lost::default(),
                }];
                seen.extend(boot.observers.take());
                link.send(&Message::Finished {
                    scenario: ask.scenario.clone(),
                    seen,
                    model,
                    output: boot.output.take().map_or_else(Vec::new, Output::all),
                })?;
            }
        }
        Job::Cases { seeds, keep } => {
            boot.kept = keep.then(Vec::new);
            for seed in seeds.clone() {
                chance::one(seed, link, &mut boot)?;
            }
        }
        Job::Command {
            argv,
            input,
            fetch,
            init,
        } => match lab {
            LabKind::Vm => {
                let (input, init) = (*input, init.as_deref());
                let task = command::Task {
                    argv,
                    input,
                    fetch,
                    init,
                };
                command::run(&task, &boot.children, link)?;
            }
            LabKind::Native => bail!("the native lab runs scenarios alone"),
        },
    }
    link.send(&Message::Done)?;
    Ok(())
}

/// Limits that could change what programs do are the same on every kernel.
fn limits(lab: LabKind) -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, 1024, 4096)?;
    setrlimit(Resource::RLIMIT_STACK, 8 << 20, u64::MAX)?;
    setrlimit(Resource::RLIMIT_CORE, 0, u64::MAX)?;
    match lab {
        // Older kernels ask modprobe about formats that they do not know: a start of its own.
        // Of nothing at all nothing would be written.
        LabKind::Vm => match files::set(Path::new("/proc/sys/kernel/modprobe"), "\n") {
            // A kernel without modules asks nobody.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Errno::EACCES),
            _ => Ok(()),
        },
        // The setting is everybody's, and the helper would not be seen: it is outside.
        LabKind::Native => Ok(()),
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
    ask: &Ask,
    plan: &GuestPlan,
    link: &Link,
    boot: &mut Boot,
) -> Result<(Trail, Agreement), Failure> {
    let broken = |error: anyhow::Error| Failure::Broken(format!("{error:#}"));
    let failed = |error: anyhow::Error| match error.downcast::<Unfinished>() {
        Ok(Unfinished { reason, seen }) => match serde_json::to_value(seen) {
            Ok(seen) => Failure::Unfinished { reason, seen },
            Err(_) => Failure::Broken(reason),
        },
        Err(error) => broken(error),
    };
    let name = ask.scenario.as_str();
    let own = Own::of(ask).map_err(broken)?;
    let lab = boot.lab;
    let unmet = asked(&own.needs, lab).filter(|need| !(need.probe)(lab));
    let unmet: Vec<_> = unmet.map(|need| need.what.to_owned()).collect();
    if !unmet.is_empty() {
        return Err(Failure::Unsupported(unmet));
    }
    let listener: &dyn Listener = match plan.faults.get(name) {
        Some(fault) => fault,
        None => &Nobody,
    };
    let begins = Moment::Scenario(lab, link);
    listener.at(begins).map_err(broken)?;
    let time = plan.deadlines_ms.get(name).copied();
    let mut undo = Undo::new(lab).map_err(broken)?;
    let work = Work {
        run: &*own.run,
        hang: own.hang,
        time: time.map_or(own.deadline, Duration::from_millis),
        listener,
        given_up: own.given_up,
    };
    let result = observe(&work, &mut undo, boot);
    let cleaned = end_everybody(&boot.children, boot.observers.spared()).and(undo.all());
    let seen = result.map_err(failed)?;
    cleaned.map_err(broken)?;
    if seen.0 == Trail::default() {
        return Err(Failure::Broken("the scenario started nothing".to_owned()));
    }
    Ok(seen)
}

/// What all scenarios of a boot share.
pub(super) struct Boot {
    /// Where it is.
    pub lab: LabKind,
    /// What is in the fixture's files.
    pub contents: Inspected,
    /// Who watches.
    pub observers: Observers,
    /// Readable when a child ends.
    pub children: SignalFd,
    /// What the model was told of each start, where that is wanted.
    pub kept: Option<Vec<Kept>>,
    /// What the programs of the scenario that runs write, where that is wanted.
    pub output: Option<Output>,
}

/// What a launcher does.
pub(super) struct Work<'a> {
    /// What makes files and starts programs.
    pub run: &'a Doing<'a>,
    /// What it is when the listener hangs.
    pub hang: Hang,
    /// How long it may take from one watched start to the next.
    pub time: Duration,
    /// Who is told where the runner is.
    pub listener: &'a dyn Listener,
    /// What is wanted where it does not end.
    pub given_up: GivenUp,
}

/// Does some work in a launcher of its own, with each start watched.
pub(super) fn observe(
    work: &Work<'_>,
    undo: &mut Undo,
    boot: &mut Boot,
) -> Result<(Trail, Agreement)> {
    let result = follow(work, undo, boot);
    // Before anybody is killed: a holder that is killed and reaped by others has no id any more.
    boot.observers.stop();
    boot.contents.keep_of(Path::new("/"));
    result
}

/// Does what the launcher asks for until it says that it is done.
fn follow(work: &Work<'_>, undo: &mut Undo, boot: &mut Boot) -> Result<(Trail, Agreement)> {
    let mut deadline = Instant::now() + work.time;
    // While nobody who is watched can have mounted over it.
    let wraps_at = pid_max()?;
    let (mut link, theirs) = Link::pair().context("failed to make the launcher's link")?;
    let launcher = match sys::fork().context("failed to fork the launcher")? {
        ForkResult::Child => {
            drop(link);
            if work.listener.at(Moment::Launcher).is_ok() {
                // The child's own already.
                let contents = std::mem::take(&mut boot.contents);
                let output = boot.output.take().map(Output::into_descriptor);
                launcher::serve(theirs, work.run, contents, output);
            }
            sys::exit_now(0);
        }
        ForkResult::Parent { child } => child,
    };
    drop(theirs);
    let mut trail = Trail::default();
    let mut agreement = Agreement::default();
    let mut still = Still::default();
    let mut ending: Option<Ending> = None;
    loop {
        let is_looked_at = work.hang == Hang::Observed || boot.output.is_some() || ending.is_some();
        let look = match is_looked_at {
            true => deadline.min(Instant::now() + still::LOOK),
            false => deadline,
        };
        let request = link.receive(look);
        boot.output.iter().for_each(Output::trim);
        if matches!(request, Err(LinkError::Deadline)) && work.hang == Hang::Observed {
            let over = Instant::now() >= deadline;
            let monitor = boot.observers.holder();
            if let Some(hang) = monitor.and_then(|monitor| still.stands(monitor, over)) {
                // Its death releases everybody; the launcher then tells how it ended.
                release(&mut boot.observers, launcher);
                trail.hang = Some(hang);
                deadline = Instant::now() + work.time;
                continue;
            }
            if !over {
                continue;
            }
        }
        if matches!(request, Err(LinkError::Deadline)) && Instant::now() < deadline {
            ending.iter().for_each(Ending::go_on);
            continue;
        }
        let request: Request = match (request, ending.take()) {
            (Ok(request), before) => {
                ending = before;
                request
            }
            (Err(_), Some(ending)) => bail!(ending.reason()),
            (Err(error), None) => {
                // Who is still there is read in it.
                let _ = undo.uncover();
                let reason = stood_still(work.time, &error);
                let is_watched = boot.observers.holder().is_some();
                if work.given_up == GivenUp::Nothing || !is_watched {
                    bail!(reason);
                }
                let (begun, until) = Ending::begin(launcher, reason);
                (ending, deadline) = (Some(begun), until);
                continue;
            }
        };
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
            Request::Arm { also, policy } => {
                // One with many starts is not broken because its machine is slow; one that never ends is ended by the host.
                deadline = Instant::now() + work.time;
                arm(work, also, policy, deadline, &mut boot.observers).map(Reply::Armed)
            }
            Request::Disarm(launch) => {
                if let Some(output) = &mut boot.output {
                    output.end(launch.heading.clone());
                }
                let hang = trail.hang.take();
                // A program that has mounted over it is at its end by now. What cannot be undone is told at the scenario's.
                let _ = undo.uncover();
                let run = begun(launcher.as_raw(), wraps_at, &launch);
                let seen = boot.observers.disarm(run, launch.helper.clone());
                let seen = seen.with_context(|| format!("still there: {}", report::living()));
                if let Some(ending) = ending.take() {
                    let Ok(run) = seen else {
                        bail!(ending.reason());
                    };
                    add(&mut trail, normalise(&run), launch.heading)?;
                    bail!(ending.with(trail));
                }
                seen.and_then(|run| {
                    let one = Trail {
                        hang,
                        ..normalise(&run)
                    };
                    agreement.add(agrees(&one, &launch, boot)?);
                    add(&mut trail, one, launch.heading)?;
                    Ok(Reply::Seen(events(&run)))
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

/// Ends a monitor that hangs, while those who wait for it stand still. An eBPF program is not called on a CPU on which it is
/// running already (`recursion_misses`): of two who end at once it may hear of one alone.
fn release(observers: &mut Observers, launcher: Pid) {
    let family = proc::family(launcher.as_raw()).unwrap_or_default();
    let tell = |signal| {
        for pid in family.iter().skip(1) {
            // It may be gone.
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    };
    tell(Signal::SIGSTOP);
    observers.release();
    tell(Signal::SIGCONT);
}

fn arm(
    work: &Work<'_>,
    also: Vec<PathBuf>,
    policy: Option<Policy>,
    deadline: Instant,
    observers: &mut Observers,
) -> Result<Vec<Submit>> {
    work.listener.at(Moment::Arming)?;
    let mut paths = vec![PathBuf::from("/")];
    paths.extend(also);
    observers.arm(Watch::of(paths, policy, deadline))?;
    if let Some(pid) = observers.holder() {
        work.listener.at(Moment::Armed(pid))?;
    }
    Ok(observers.submits())
}

/// The events of a watch in words.
fn events(run: &Run) -> Vec<String> {
    let events = run.sightings.iter();
    let events = events.map(|seen| format!("{} {}", seen.mask.name(), seen.path));
    events.collect()
}

/// Adds what was seen of one start to the scenario's trail.
fn add(trail: &mut Trail, one: Trail, heading: Option<String>) -> Result<()> {
    match heading {
        Some(heading) => trail.cases.push(Section {
            heading,
            trail: one,
        }),
        None if trail.started.is_empty() && trail.cases.is_empty() => {
            *trail = Trail {
                verdicts: std::mem::take(&mut trail.verdicts),
                facts: std::mem::take(&mut trail.facts),
                ..one
            };
        }
        None => bail!("a scenario of several starts gives each a heading"),
    }
    Ok(())
}

/// Holds what was seen of one start against the model.
fn agrees(trail: &Trail, ending: &LaunchEnding, boot: &mut Boot) -> Result<Agreement> {
    let kernel = running_kernel().context("the kernel has no release that can be read")?;
    // Files that the call itself did not come to are as they are left.
    let view = FileView::of(std::process::id(), &boot.contents, &[PathBuf::from("/")]).afterwards();
    let nothing = World::default();
    let premise = ending.premise.as_ref();
    let either = Either(premise.map_or(&nothing, |premise| &premise.world), &view);
    let files = Recording::new(&either);
    let found = model::check(&Witness {
        trail,
        call: premise.map(|premise| &premise.call),
        files: &files,
        kernel,
        cut: ending.cut,
    });
    if let Some(kept) = &mut boot.kept {
        kept.push(Kept {
            seed: 0,
            kernel: kernel.to_string(),
            call: premise.map(|premise| premise.call.clone()),
            world: files.seen(),
            trail: trail.clone(),
            cut: ending.cut,
        });
    }
    Ok(found)
}

/// What the launcher tells of one exec; events and parents are the holder's to add.
fn begun(launcher: i32, pid_max: i32, ending: &LaunchEnding) -> Run {
    Run {
        launcher,
        pid_max,
        calls: vec![ending.call.clone()],
        parents: Vec::new(),
        sightings: Vec::new(),
        exits: ending.exits.clone(),
        words: ending.words.clone(),
    }
}

/// Where process ids wrap around.
fn pid_max() -> Result<i32> {
    let text = proc::text("/proc/sys/kernel/pid_max").context("failed to read pid_max")?;
    text.trim().parse().context("failed to read pid_max")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::Fact;

    #[test]
    fn what_was_found_out_before_the_only_start_stays() {
        let text = "start p1 by launcher: execve /a\nend p1: exit 0\n";
        let one = crate::trail::parse(text).unwrap();
        let mut trail = Trail {
            facts: vec![Fact::new("found", "before")],
            ..Trail::default()
        };
        add(&mut trail, one.clone(), None).unwrap();
        assert_eq!(trail.facts, [Fact::new("found", "before")]);
        assert_eq!(trail.started, one.started);
        assert!(add(&mut trail, one, None).is_err());
    }
}
