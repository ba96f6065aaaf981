//! Programs that a scenario starts: watched, as a case of several, refused at each step; and what it says of them.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::super::premise::Surroundings;
use super::super::{Evidence, Exec, Search, Seen, launch};
use super::{LaunchEnding, Reply, Request, System};
use crate::proc::Mount;
use crate::trail::{Fact, How};
use crate::wire::{Act, Policy};

impl System {
    /// Starts a program under observation and returns how it ended.
    ///
    /// The watch begins before the child is forked and ends when every process of its tree is
    /// reaped and every other process that was seen has ended.
    ///
    /// # Errors
    ///
    /// The observers or the child's preparation failed; a program that fails is no error.
    pub fn observe(&mut self, exec: &Exec) -> Result<How> {
        Ok(self.start(exec, None, None)?.0)
    }

    /// Starts a program under observation as one of several cases of a scenario.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn case(&mut self, heading: &str, exec: &Exec) -> Result<How> {
        Ok(self.start(exec, Some(heading.to_owned()), None)?.0)
    }

    /// Starts a program under observation as one of several cases, and returns all that was seen.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn look(&mut self, heading: &str, exec: &Exec) -> Result<Seen> {
        self.started(exec, Some(heading.to_owned()), None)
    }

    /// Starts a program without observing it, as a search for an edge does many times.
    ///
    /// # Errors
    ///
    /// The child's preparation failed; a program that fails is no error.
    pub fn attempt(&mut self, exec: &Exec) -> Result<How> {
        let launch::Launched { call, exits, .. } = launch::launch(exec, &[], None, None)?;
        let mut own = exits.into_iter().filter(|exit| exit.pid == call.pid);
        let own = own.next().context("the child ended unseen")?;
        Ok(own.how)
    }

    /// The greatest number with which a program starts and exits with 0; nothing of the search is
    /// observed.
    ///
    /// # Errors
    ///
    /// As for [`Search::run`].
    pub fn last_that_starts(
        &mut self,
        search: Search,
        exec: impl Fn(&mut System, usize) -> Result<Exec>,
    ) -> Result<usize> {
        self.last_with(search, exec, |how| *how == How::Exit(0))
    }

    /// The greatest number with which a start comes to such an end; nothing of the search is
    /// observed.
    ///
    /// # Errors
    ///
    /// As for [`Search::run`].
    pub fn last_with(
        &mut self,
        search: Search,
        exec: impl Fn(&mut System, usize) -> Result<Exec>,
        end: impl Fn(&How) -> bool,
    ) -> Result<usize> {
        search.run(|number| {
            let exec = exec(self, number)?;
            Ok(end(&self.attempt(&exec)?))
        })
    }

    /// Puts something that was found out into the trail.
    ///
    /// # Errors
    ///
    /// The runner is gone.
    pub fn fact(&mut self, name: &str, value: impl ToString) -> Result<()> {
        self.ask(&Request::Fact(Fact::new(name, value)))
    }

    /// Says what became of a claim.
    ///
    /// # Errors
    ///
    /// Nothing was held against the claim.
    pub fn verdict(&mut self, claim: &Evidence) -> Result<()> {
        self.ask(&Request::Verdict(claim.verdict()?))
    }

    /// Starts a program once with every event allowed, and then once for each of these events, with
    /// that one refused.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn refuse_each(&mut self, exec: &Exec) -> Result<()> {
        self.look_at_each_refusal(exec, |_, _, _| Ok(()))
    }

    /// As [`System::refuse_each`], with a look at what each of the starts has left: it gets the name
    /// of the case and what was seen.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`], or what the look says.
    pub fn look_at_each_refusal(
        &mut self,
        exec: &Exec,
        mut look: impl FnMut(&mut System, &str, &Seen) -> Result<()>,
    ) -> Result<()> {
        let all = "allow all";
        let seen = self.started(exec, Some(all.to_owned()), None)?;
        look(self, all, &seen)?;
        for (nth, event) in (1..).zip(&seen.events) {
            let seen = self.refuse(exec, Act::Deny, nth, event)?;
            look(self, &format!("deny {nth}"), &seen)?;
        }
        Ok(())
    }

    /// As [`System::refuse_each`], but a file that is refused stays so for all later events.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn refuse_each_file(&mut self, exec: &Exec) -> Result<()> {
        let (_, events) = self.start(exec, Some("allow all".to_owned()), None)?;
        for (nth, event) in (1..).zip(events) {
            self.refuse(exec, Act::File, nth, &event)?;
        }
        Ok(())
    }

    /// Runs a program and does something else at one event than to allow it at once.
    ///
    /// `event` is only for the heading, beside the event's number.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn refuse(&mut self, exec: &Exec, act: Act, nth: usize, event: &str) -> Result<Seen> {
        let what = match act {
            Act::Deny => "deny".to_owned(),
            Act::Errno(errno) => format!("deny with {:?}", Errno::from_raw(errno)),
            Act::File => "deny always from".to_owned(),
            Act::Die => "monitor dies at".to_owned(),
            Act::Kill => "kill at".to_owned(),
            Act::Signal(number) => format!("signal {number} at"),
            Act::Late(until) => format!("answer when event {until} comes, at"),
        };
        let heading = format!("{what} {nth}: {event}");
        self.started(exec, Some(heading), Some(Policy { nth, act }))
    }

    /// Starts a program that is sent a signal while it waits for the answer to one event, and
    /// returns all that was seen; SIGKILL ends the wait, a signal that dumps core does not.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn signalled(&mut self, exec: &Exec, signal: Signal, nth: usize) -> Result<Seen> {
        let act = match signal {
            Signal::SIGKILL => Act::Kill,
            other => Act::Signal(other as i32),
        };
        let heading = Some(format!("{signal} at event {nth}"));
        self.started(exec, heading, Some(Policy { nth, act }))
    }

    /// Starts a program of which one event is answered only when a later one, `until`, has come; the
    /// process is sent SIGUSR1 when the first has, so that another of its threads can act meanwhile.
    ///
    /// # Errors
    ///
    /// As for [`System::observe`].
    pub fn answered_late(&mut self, exec: &Exec, nth: usize, until: usize) -> Result<Seen> {
        let act = Act::Late(until);
        self.started(exec, None, Some(Policy { nth, act }))
    }

    fn start(
        &mut self,
        exec: &Exec,
        heading: Option<String>,
        policy: Option<Policy>,
    ) -> Result<(How, Vec<String>)> {
        let seen = self.started(exec, heading, policy)?;
        Ok((seen.how, seen.events))
    }

    fn started(
        &mut self,
        exec: &Exec,
        heading: Option<String>,
        policy: Option<Policy>,
    ) -> Result<Seen> {
        // Once the watch has begun, what is watched cannot be read unseen.
        self.contents.read_all(Path::new("/tmp"));
        let further = self.made.iter().chain(&self.also);
        further.for_each(|path| self.contents.read_all(path));
        for mount in Mount::all()?.iter().filter(|mount| mount.kind == "overlay") {
            self.contents.read_all(&mount.point);
        }
        let arm = Request::Arm {
            also: self.also.clone(),
            policy,
        };
        let submits = match self.call(&arm)? {
            Reply::Armed(submits) => submits,
            other => bail!("the runner said {other:?} instead of that it watches"),
        };
        let surroundings = Surroundings {
            contents: &self.contents,
            watched: self.watched(),
            formats: &self.formats,
        };
        let launch::Launched {
            call,
            exits,
            dumped,
            words,
            premise,
        } = launch::launch(exec, &submits, Some(&surroundings), self.output.as_ref())?;
        let own = exits.iter().find(|exit| exit.pid == call.pid);
        let how = own
            .map(|exit| exit.how.clone())
            .context("the child ended unseen")?;
        let said = words.iter().flat_map(|word| word.found.clone());
        let found = said.collect();
        let ending = LaunchEnding {
            heading,
            call,
            exits,
            words,
            helper: exec.awaited().map(ToOwned::to_owned),
            premise,
            cut: policy
                .is_some_and(|policy| matches!(policy.act, Act::Die | Act::Kill | Act::Signal(_))),
        };
        match self.call(&Request::Disarm(Box::new(ending)))? {
            Reply::Seen(events) => Ok(Seen {
                how,
                dumped,
                events,
                found,
            }),
            other => bail!("the runner said {other:?} instead of what was seen"),
        }
    }
}
