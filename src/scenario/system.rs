//! Where a scenario acts: it makes files, changes the system and starts programs through this.
//!
//! It lives in the launcher, a process of its own. What outlives the scenario (a system setting, a
//! file outside of `/tmp`) is changed by the runner or said to it beforehand; the runner puts it
//! back whatever happens to the launcher. Mounts are found and undone by the runner.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::premise::{Premise, Surroundings};
use super::{Evidence, Exec, FileView, Inspected, Search, Seen, launch};
use crate::model::BinfmtEntry;
use crate::proc::Mount;
use crate::trail::{Exit, Fact, How, LaunchCall, SelfReport, Verdict};
use crate::wire::{Act, Link, Policy, SUBJECT, Submit};

/// What the launcher asks of the runner.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Watch from now on.
    Arm {
        /// Paths on further file systems that are watched.
        also: Vec<PathBuf>,
        /// What is done with one of the events.
        policy: Option<Policy>,
    },
    /// The tree of this start is reaped: end the watch.
    Disarm(Box<LaunchEnding>),
    /// Write a sysctl, and put it back after the scenario.
    Sysctl {
        /// Path below `/proc/sys`.
        name: String,
        /// New value.
        value: String,
    },
    /// The scenario will make this file or directory: remove it afterwards.
    Remove(PathBuf),
    /// Register a format with binfmt_misc, and take it out afterwards.
    Format {
        /// Its name.
        name: String,
        /// The line for `register`.
        rule: String,
    },
    /// What the scenario says of a claim.
    Verdict(Verdict),
    /// What the scenario found out.
    Fact(Fact),
    /// The scenario has ended.
    Done(Result<(), String>),
}

/// What a launch left, as the runner is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct LaunchEnding {
    /// What is special about this start; none for a scenario that has only one.
    pub heading: Option<String>,
    /// The start.
    pub call: LaunchCall,
    /// The ends.
    pub exits: Vec<Exit>,
    /// What programs of ours said.
    pub words: Vec<SelfReport>,
    /// A helper of the kernel whose end is waited for.
    pub helper: Option<String>,
    /// What the model is told of the call.
    pub premise: Option<Premise>,
    /// The watch ends, or a process is killed, in the middle of it.
    pub cut: bool,
}

/// What the runner answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Ok,
    /// The watch has begun, of a child that does this to itself first.
    Armed(Vec<Submit>),
    /// The watch has ended: the events in order, in words.
    Seen(Vec<String>),
    /// It cannot be done.
    Failed(String),
}

/// The runner answers or kills; this only keeps a launcher from outliving a runner that does not.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a scenario works with.
#[derive(Debug)]
pub struct System {
    link: Link,
    also: Vec<PathBuf>,
    contents: Inspected,
    /// Announced files outside of `/tmp`.
    made: Vec<PathBuf>,
    formats: Vec<BinfmtEntry>,
}

impl System {
    /// The launcher makes one, knowing what is in the fixture's files; scenarios are given it.
    #[must_use]
    pub fn new(link: Link, contents: Inspected) -> System {
        System {
            link,
            also: Vec::new(),
            contents,
            made: Vec::new(),
            formats: Vec::new(),
        }
    }

    /// Makes an executable file with this text in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn script(&mut self, name: &str, text: &str) -> Result<PathBuf> {
        self.file(name, text.as_bytes(), 0o755)
    }

    /// Makes a file in `/tmp`, and the directories above it, and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn file(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        let context = || format!("failed to write {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(context)?;
        }
        fs::write(&path, bytes)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .with_context(context)?;
        Ok(path)
    }

    /// Copies a file of the fixture to `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn copy(&mut self, from: &str, name: &str) -> Result<PathBuf> {
        let path = self.file(name, &[], 0o755)?;
        fs::copy(from, &path)
            .and_then(|_| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .with_context(|| format!("failed to copy {from} to {}", path.display()))?;
        Ok(path)
    }

    /// Copies the subject, a static program of ours, to `/tmp`; [`Exec::role`] says what it does
    /// there.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn ours(&mut self, name: &str) -> Result<PathBuf> {
        self.copy(SUBJECT, name)
    }

    /// As [`System::ours`], with this mode, which may have the set-user-ID bit.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn ours_with_mode(&mut self, name: &str, mode: u32) -> Result<PathBuf> {
        let path = self.ours(name)?;
        self.set_mode(name, mode)?;
        Ok(path)
    }

    /// Changes the mode of a file in `/tmp`, as a change of owner needs it, which clears bits.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub fn set_mode(&mut self, name: &str, mode: u32) -> Result<()> {
        let path = Path::new("/tmp").join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("failed to change the mode of {}", path.display()))
    }

    /// Makes a symbolic link in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The link cannot be made.
    pub fn link(&mut self, target: impl AsRef<Path>, name: &str) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        symlink(target, &path).with_context(|| format!("failed to link {}", path.display()))?;
        Ok(path)
    }

    /// Makes a directory in `/tmp` and returns its path.
    ///
    /// # Errors
    ///
    /// The directory cannot be made.
    pub fn directory(&mut self, name: &str) -> Result<PathBuf> {
        let path = Path::new("/tmp").join(name);
        fs::create_dir_all(&path).with_context(|| format!("failed to make {}", path.display()))?;
        Ok(path)
    }

    /// Mounts an overlay at `/tmp/merged`, with `/usr/bin/true` as `bin/true` of its lower layer;
    /// both layers are on the fixture.
    ///
    /// # Errors
    ///
    /// What mkdir(2), open(2) or mount(2) says.
    pub fn overlay(&mut self) -> Result<()> {
        for directory in ["lower/bin", "upper", "work", "merged"] {
            self.directory(directory)?;
        }
        self.copy("/usr/bin/true", "lower/bin/true")?;
        let layers = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work";
        self.mount("overlay", "overlay", Path::new("/tmp/merged"), layers)
    }

    /// Mounts something; the runner unmounts it.
    ///
    /// # Errors
    ///
    /// What mount(2) says.
    pub fn mount(&mut self, kind: &str, source: &str, place: &Path, options: &str) -> Result<()> {
        let flags = MsFlags::empty();
        mount(Some(source), place, Some(kind), flags, Some(options))
            .with_context(|| format!("failed to mount {kind} on {}", place.display()))
    }

    /// Mounts a file or directory at a second place; the runner unmounts it.
    ///
    /// # Errors
    ///
    /// What mount(2) says.
    pub fn bind(&mut self, source: impl AsRef<Path>, place: &Path) -> Result<()> {
        let none = None::<&str>;
        mount(Some(source.as_ref()), place, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("failed to bind {}", place.display()))
    }

    /// Watches the file system of a path as well, beside the fixture's own.
    pub fn watch_also(&mut self, path: impl AsRef<Path>) {
        self.also.push(path.as_ref().to_owned());
    }

    /// Announces a file or directory outside of `/tmp`, for the runner to remove it afterwards.
    ///
    /// # Errors
    ///
    /// It is there already.
    pub fn will_make(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.made.push(path.as_ref().to_owned());
        self.ask(&Request::Remove(path.as_ref().to_owned()))
    }

    /// Registers a format with binfmt_misc; the runner takes it out.
    ///
    /// # Errors
    ///
    /// The kernel refuses the rule.
    pub fn format(&mut self, name: &str, rule: &str) -> Result<()> {
        self.contents.read_all(Path::new("/tmp"));
        let view = FileView::of(std::process::id(), &self.contents, &self.watched());
        let format = BinfmtEntry::parse(rule, &view);
        let format = format.with_context(|| format!("the model cannot read the rule {rule:?}"))?;
        self.formats.insert(0, format);
        self.ask(&Request::Format {
            name: name.to_owned(),
            rule: format!(":{name}:{rule}"),
        })
    }

    /// Writes a setting below `/proc/sys`; the runner puts the old one back.
    ///
    /// # Errors
    ///
    /// There is no such setting, or the kernel refuses the value.
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<()> {
        self.ask(&Request::Sysctl {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

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
        let launch::Launched { call, exits, .. } = launch::launch(exec, &[], None)?;
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

    /// Runs a program and answers one event with something other than FAN_ALLOW.
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
        // Once the watch has begun, nothing can be read any more.
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
        } = launch::launch(exec, &submits, Some(&surroundings))?;
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

    /// What is watched: the fixture, and what the scenario adds.
    fn watched(&self) -> Vec<PathBuf> {
        let fixture = PathBuf::from("/");
        [fixture]
            .into_iter()
            .chain(self.also.iter().cloned())
            .collect()
    }

    pub(crate) fn done(&mut self, result: Result<()>) -> Result<()> {
        self.ask(&Request::Done(result.map_err(|error| format!("{error:#}"))))
    }

    fn ask(&mut self, request: &Request) -> Result<()> {
        self.call(request).map(drop)
    }

    fn call(&mut self, request: &Request) -> Result<Reply> {
        self.link
            .send(request)
            .context("failed to reach the runner")?;
        match self
            .link
            .receive(Instant::now() + PATIENCE)
            .context("the runner does not answer")?
        {
            Reply::Failed(reason) => bail!("{reason}"),
            reply => Ok(reply),
        }
    }
}
