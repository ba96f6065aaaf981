//! One launcher, from its fork to its end: what it asks the runner for, and what was seen of what it started.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::fault::Moment;
use super::observers::Observers;
use super::output::Output;
use super::runner::{Boot, Work};
use super::still::{self, Still, Time};
use super::undo::Undo;
use super::unfinished::{Ending, GivenUp, stood_still};
use super::{FileView, launcher, limits, report, running_kernel};
use crate::cases::kept::Kept;
use crate::model::{self, Either, Recording, Witness, World};
use crate::observer::Watch;
use crate::proc;
use crate::scenario::{Hang, LaunchEnding, Reply, Request};
use crate::sys::{self, ForkResult};
use crate::trail::{Agreement, Run, Section, Trail, normalise};
use crate::wire::{Link, LinkError, Policy, Submit};

/// Does what the launcher asks for until it says that it is done.
pub fn follow(work: &Work<'_>, undo: &mut Undo, boot: &mut Boot) -> Result<(Trail, Agreement)> {
    let mut session = Session::begin(work, undo, boot)?;
    loop {
        let reply = match session.await_request()? {
            Request::Done(result) => {
                session.link.send(&Reply::Ok)?;
                result.map_err(|reason| anyhow!("the scenario failed: {reason}"))?;
                return Ok((session.trail, session.agreement));
            }
            Request::Disarm(launch) => match session.ending.take() {
                Some(ending) => return Err(session.give_up(ending, *launch)),
                None => session.disarm(*launch),
            },
            request => session.serve(request),
        };
        // A launcher that cannot do its work says so with `Done`, in its own words.
        session.link.send(&match reply {
            Ok(reply) => reply,
            Err(error) => Reply::Failed(format!("{error:#}")),
        })?;
    }
}

/// What is known of a launcher and of its scenario.
struct Session<'a> {
    work: &'a Work<'a>,
    undo: &'a mut Undo,
    boot: &'a mut Boot,
    link: Link,
    launcher: Pid,
    /// Where process ids wrap around.
    pid_max: i32,
    /// When something has to have come of it.
    deadline: Instant,
    still: Still,
    /// It is being given up.
    ending: Option<Ending>,
    trail: Trail,
    agreement: Agreement,
}

impl<'a> Session<'a> {
    fn begin(work: &'a Work<'a>, undo: &'a mut Undo, boot: &'a mut Boot) -> Result<Session<'a>> {
        let deadline = Instant::now() + work.time;
        // While nobody who is watched can have mounted over it.
        let pid_max = limits::pid_max()?;
        let (link, theirs) = Link::pair().context("failed to make the launcher's link")?;
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
        Ok(Session {
            work,
            undo,
            boot,
            link,
            launcher,
            pid_max,
            deadline,
            still: Still::default(),
            ending: None,
            trail: Trail::default(),
            agreement: Agreement::default(),
        })
    }

    /// Waits for the next request, looks meanwhile at who hangs, and gives the scenario up when its time is over.
    fn await_request(&mut self) -> Result<Request> {
        loop {
            let is_looked_at = self.work.hang == Hang::Observed
                || self.boot.output.is_some()
                || self.ending.is_some();
            let look = match is_looked_at {
                true => self.deadline.min(Instant::now() + still::LOOK),
                false => self.deadline,
            };
            let request = self.link.receive(look);
            self.boot.output.iter().for_each(Output::trim);
            let time = match Instant::now() < self.deadline {
                true => Time::Left,
                false => Time::Over,
            };
            match request {
                Ok(request) => return Ok(request),
                Err(LinkError::Deadline) if self.releases(time) => {}
                Err(LinkError::Deadline) if time == Time::Left => {
                    self.ending.iter().for_each(Ending::go_on);
                }
                Err(error) => self.fell_silent(&error)?,
            }
        }
    }

    /// Ends a monitor that hangs, where the scenario is about that.
    fn releases(&mut self, time: Time) -> bool {
        if self.work.hang != Hang::Observed {
            return false;
        }
        let monitor = self.boot.observers.holder();
        let Some(hang) = monitor.and_then(|monitor| self.still.stands(monitor, time)) else {
            return false;
        };
        // Its death releases everybody; the launcher then tells how it ended.
        release(&mut self.boot.observers, self.launcher);
        self.trail.hang = Some(hang);
        self.deadline = Instant::now() + self.work.time;
        true
    }

    /// Nothing more is heard of the launcher: an error, or its processes are killed for the sake of what was seen.
    fn fell_silent(&mut self, error: &LinkError) -> Result<()> {
        if let Some(ending) = self.ending.take() {
            bail!(ending.reason());
        }
        // Who is still there is read in it.
        let _ = self.undo.uncover();
        let reason = stood_still(self.work.time, error);
        let is_watched = self.boot.observers.holder().is_some();
        if self.work.given_up == GivenUp::Nothing || !is_watched {
            bail!(reason);
        }
        let (ending, until) = Ending::begin(self.launcher, reason);
        (self.ending, self.deadline) = (Some(ending), until);
        Ok(())
    }

    fn serve(&mut self, request: Request) -> Result<Reply> {
        match request {
            Request::Verdict(verdict) => self.trail.verdicts.push(verdict),
            Request::Fact(fact) => self.trail.facts.push(fact),
            Request::Sysctl { name, value } => self.undo.sysctl(&name, &value)?,
            Request::Remove(path) => self.undo.path(path)?,
            Request::Format { name, rule } => self.undo.format(&name, &rule)?,
            Request::Arm { also, policy } => {
                // One with many starts is not broken because its machine is slow; one that never ends is ended by the host.
                self.deadline = Instant::now() + self.work.time;
                let observers = &mut self.boot.observers;
                return arm(self.work, also, policy, self.deadline, observers).map(Reply::Armed);
            }
            // They may be the scenario's end, which is told by who follows.
            Request::Disarm(_) | Request::Done(_) => bail!("out of turn"),
        }
        Ok(Reply::Ok)
    }

    /// Ends the watch of a start, and adds what was seen to the trail.
    fn disarm(&mut self, launch: LaunchEnding) -> Result<Reply> {
        let hang = self.trail.hang.take();
        let run = self.end_watch(&launch)?;
        let one = Trail {
            hang,
            ..normalise(&run)
        };
        self.agreement.add(agrees(&one, &launch, self.boot)?);
        add(&mut self.trail, one, launch.heading)?;
        Ok(Reply::Seen(events(&run)))
    }

    /// What comes of a scenario whose processes were killed.
    fn give_up(mut self, ending: Ending, launch: LaunchEnding) -> anyhow::Error {
        self.trail.hang = None;
        let Ok(run) = self.end_watch(&launch) else {
            return anyhow!(ending.reason());
        };
        match add(&mut self.trail, normalise(&run), launch.heading) {
            Ok(()) => ending.with(self.trail).into(),
            Err(error) => error,
        }
    }

    fn end_watch(&mut self, launch: &LaunchEnding) -> Result<Run> {
        if let Some(output) = &mut self.boot.output {
            output.end(launch.heading.clone());
        }
        // A program that has mounted over it is at its end by now. What cannot be undone is told at the scenario's.
        let _ = self.undo.uncover();
        let run = begun(self.launcher.as_raw(), self.pid_max, launch);
        let seen = self.boot.observers.disarm(run, launch.helper.clone());
        seen.with_context(|| format!("still there: {}", report::living()))
    }
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
