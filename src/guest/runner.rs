//! PID 1 in the scenarios' root: runs what the plan asks for and sends what was seen.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signalfd::SignalFd;

use super::clearing::{child_signals, end_everybody};
use super::fault::{Listener, Moment, Nobody};
use super::observers::Observers;
use super::output::Output;
use super::task::{Doing, Task};
use super::undo::Undo;
use super::unfinished::{GivenUp, Unfinished};
use super::{Inspected, chance, channel, command, limits, orders, session};
use crate::cases::kept::Kept;
use crate::need::asked;
use crate::scenario::{Hang, keep_counting};
use crate::trail::{Agreement, LabKind, Trail};
use crate::wire::{Ask, Failure, GuestPlan, Job, Link, Lost, Message, Sent, Written};

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
    limits::set(lab)?;
    keep_counting();
    let children = child_signals().context("failed to ask for signals of children")?;
    if lab == LabKind::Native {
        limits::use_up_two().context("failed to use up process id 2")?;
    }
    let mut boot = Boot::new(lab, children);
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
                scenario(ask, &plan, link, &mut boot)?;
            }
        }
        Job::Cases { seeds, keep } => {
            boot.kept = keep.then(Vec::new);
            for seed in seeds.clone() {
                chance::one(seed, link, &mut boot)?;
            }
        }
        Job::Command { .. } if lab == LabKind::Native => {
            bail!("the native lab runs scenarios alone")
        }
        Job::Command {
            argv,
            input,
            fetch,
            init,
        } => {
            let (input, init) = (*input, init.as_deref());
            let task = command::Task {
                argv,
                input,
                fetch,
                init,
            };
            command::run(&task, &boot.children, link)?;
        }
    }
    link.send(&Message::Done)?;
    Ok(())
}

/// Limits that could change what programs do are the same on every kernel.
/// Runs one scenario and tells the host what was seen.
fn scenario(ask: &Ask, plan: &GuestPlan, link: &Link, boot: &mut Boot) -> Result<()> {
    link.send(&Message::Started {
        scenario: ask.scenario.clone(),
    })?;
    // If the kernel dies of this one, what is not out yet dies with it: then the host would take the
    // one before for the reason.
    channel::drain(link);
    boot.observers.want(&ask.observe);
    boot.output = match ask.output {
        Written::Sent => Output::new().ok(),
        Written::Dropped => None,
    };
    let (result, model) = match one(ask, plan, link, boot) {
        Ok((trail, agreement)) => {
            let body = serde_json::to_value(trail).context("failed to write a trail")?;
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
    Ok(())
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
    let task = Task::of(ask).map_err(broken)?;
    let lab = boot.lab;
    let unmet = asked(&task.needs, lab).filter(|need| !(need.probe)(lab));
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
        run: &*task.run,
        hang: task.hang,
        time: time.map_or(task.deadline, Duration::from_millis),
        listener,
        given_up: task.given_up,
    };
    let result = observe(&work, &mut undo, boot);
    let spared = boot.observers.spared();
    let beside = boot.observers.beside();
    let cleaned = end_everybody(&boot.children, spared).and(undo.all(beside));
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

impl Boot {
    fn new(lab: LabKind, children: SignalFd) -> Boot {
        Boot {
            lab,
            contents: Inspected::default(),
            observers: Observers::new(lab),
            children,
            kept: None,
            output: None,
        }
    }
}

/// What a launcher does.
pub(super) struct Work<'a> {
    /// What makes files and starts programs.
    pub run: &'a Doing<'a>,
    /// Whether a listener that hangs is a fault, or what the scenario is there to show.
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
    let result = session::follow(work, undo, boot);
    // Before anybody is killed: a holder that is killed and reaped by others has no id any more.
    boot.observers.stop();
    boot.contents.keep_of(Path::new("/"));
    result
}
