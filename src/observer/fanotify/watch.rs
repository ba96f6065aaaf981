//! The loop of the monitor process: hold, look, answer, and only then write down.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::count::count;
use super::monitor::{MonitorReport, Order};
use super::{
    Class, FanEvent, Group, Ids, Parent, Process, more_descriptors, named, never_dump, process_of,
};
use crate::observer::{Held, HeldHook};
use crate::proc::{self, is_below};
use crate::sys;
use crate::trail::{LONGEST, Sighting};
use crate::wire::{Act, Link, LinkError, Policy};

/// The state of a watch.
struct Watch {
    group: Group,
    /// Processes that were seen and have not ended, by pid.
    alive: BTreeMap<i32, OwnedFd>,
    parents: BTreeMap<i32, i32>,
    sightings: Vec<Sighting>,
    /// Events that were answered and are not remembered: no trail has so many.
    beyond: usize,
    policy: Option<Policy>,
    /// An event whose answer is put off.
    late: Option<Late>,
    /// The file that is refused whenever it is opened.
    refused: Option<String>,
    /// What the other observers do while a process is held.
    hooks: Vec<HeldHook>,
    /// Hooks that failed and are not called any more, with the reason.
    failed: Vec<(String, String)>,
    /// Below this process everybody is an observer's.
    quiet: Option<i32>,
    /// How many events of theirs were answered.
    quiet_opens: u64,
}

/// An event that is not answered before another one has come.
struct Late {
    file: OwnedFd,
    tid: i32,
    pid: i32,
    /// Its place among the sightings.
    place: usize,
    /// The number of the event that it waits for.
    until: usize,
}

/// What became of an event.
struct Answer {
    /// The errno of a refusal.
    denied: Option<String>,
    /// The number of the event that comes before its answer.
    put_off: Option<usize>,
    next: Next,
}

/// What comes after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The next one.
    Event,
    /// The end of this process, with the event unanswered.
    Death,
}

/// Serves orders until the link is closed; errors go to the other side as a report.
pub fn serve(mut link: Link, hooks: Vec<HeldHook>) {
    // A program that is watched may mount over it.
    proc::hold();
    if let Err(error) = obey(&mut link, hooks) {
        // Whoever reads this may be gone as well; then nobody misses it.
        let _ = link.send(&MonitorReport::Failed(format!("{error:#}")));
    }
}

fn obey(link: &mut Link, mut hooks: Vec<HeldHook>) -> Result<()> {
    never_dump()?;
    more_descriptors();
    let mut watch: Option<Watch> = None;
    let mut disarming: Option<Option<String>> = None;
    loop {
        if let Some(helper) = &disarming
            && watch.as_ref().is_some_and(|watch| watch.is_over(helper))
        {
            if let Some(watch) = watch.take() {
                watch.report(link)?;
            }
            disarming = None;
        }
        let wake = wait(link, watch.as_ref())?;
        if let Some(watch) = &mut watch {
            watch.alive.retain(|pid, _| !wake.ended.contains(pid));
            for event in watch.group.read()? {
                if watch.serve(event)? == Next::Death {
                    watch.tell(link)?;
                    sys::exit_now(0);
                }
            }
        }
        if wake.ordered {
            match link.fill() {
                Ok(()) => {}
                Err(LinkError::Closed) => return Ok(()),
                Err(error) => return Err(error).context("failed to read an order"),
            }
            while let Some(order) = link.take::<Order>().context("failed to read an order")? {
                match order {
                    Order::Arm {
                        paths,
                        policy,
                        quiet,
                    } => {
                        let hooks = std::mem::take(&mut hooks);
                        watch = Some(Watch {
                            quiet,
                            ..Watch::new(&paths, policy, hooks)?
                        });
                        link.send(&MonitorReport::Armed)
                            .context("failed to report")?;
                    }
                    Order::Disarm { helper } => disarming = Some(helper),
                }
            }
        }
    }
}

/// What ended a wait.
struct Wake {
    ordered: bool,
    ended: Vec<i32>,
}

fn wait(link: &Link, watch: Option<&Watch>) -> Result<Wake> {
    let mut fds = vec![PollFd::new(link.as_fd(), PollFlags::POLLIN)];
    let mut pids = Vec::new();
    if let Some(watch) = watch {
        fds.push(PollFd::new(watch.group.as_fd(), PollFlags::POLLIN));
        for (pid, fd) in &watch.alive {
            fds.push(PollFd::new(fd.as_fd(), PollFlags::POLLIN));
            pids.push(*pid);
        }
    }
    match nix::poll::poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno).context("failed to wait for events"),
    }
    let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
    let ordered = fds.first().is_some_and(ready);
    let ended = fds
        .iter()
        .skip(2)
        .zip(pids)
        .filter(|(fd, _)| ready(fd))
        .map(|(_, pid)| pid);
    Ok(Wake {
        ordered,
        ended: ended.collect(),
    })
}

impl Watch {
    fn new(paths: &[PathBuf], policy: Option<Policy>, hooks: Vec<HeldHook>) -> Result<Watch> {
        let class = match policy.map(|policy| policy.act) {
            // Only such a group may answer with an errno of its choice.
            Some(Act::Errno(_)) => Class::PreContent,
            _ => Class::Content,
        };
        let group = Group::new(Ids::Thread, class)?;
        count(0);
        for path in paths {
            group.watch_filesystem(path)?;
        }
        Ok(Watch {
            group,
            alive: BTreeMap::new(),
            parents: BTreeMap::new(),
            sightings: Vec::new(),
            beyond: 0,
            policy,
            late: None,
            refused: None,
            hooks,
            failed: Vec::new(),
            quiet: None,
            quiet_opens: 0,
        })
    }

    /// Whether everybody who was seen has ended, the helper too.
    fn is_over(&self, helper: &Option<String>) -> bool {
        let came = |path: &String| self.sightings.iter().any(|seen| seen.path == *path);
        self.alive.is_empty() && helper.as_ref().is_none_or(came)
    }

    /// Looks at the process while it is held, then answers: allow, or what the policy says.
    fn serve(&mut self, event: FanEvent) -> Result<Next> {
        if event.fd < 0 {
            bail!("the event queue has overflowed: events were lost");
        }
        let file = sys::adopt_fd(event.fd);
        let pid = self.process_of(event.pid);
        if self.quiet.is_some_and(|quiet| is_below(pid, quiet)) {
            self.quiet_opens += 1;
            return self.group.allow(file.as_fd()).map(|()| Next::Event);
        }
        if self.sightings.len() >= LONGEST {
            self.beyond += 1;
            return self.group.allow(file.as_fd()).map(|()| Next::Event);
        }
        self.answer_late()?;
        let process = Process::read(event.pid, pid);
        let path = proc::link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        self.meet(pid, process.ppid)?;
        let nth = self.sightings.len() + 1;
        // Before the answer, after which who is held reads it.
        count(nth);
        let path = named(path).unwrap_or_else(|| "unreadable".to_owned());
        let act = self.policy.filter(|policy| {
            let again = policy.act == Act::File && self.refused.as_ref() == Some(&path);
            policy.nth == nth || again
        });
        self.look(Held {
            number: nth,
            pid,
            mask: event.mask,
            file: file.as_fd(),
        });
        let answer = self.answer(&file, pid, &path, act.map(|policy| policy.act))?;
        self.sightings.push(Sighting {
            mask: event.mask,
            pid,
            tid: Some(event.pid).filter(|tid| *tid != pid),
            ppid: process.ppid,
            exe: process.exe,
            comm: process.comm,
            by: process.by,
            thread: process.thread,
            path,
            denied: answer.denied,
            later: None,
        });
        if let Some(until) = answer.put_off {
            self.late = Some(Late {
                file,
                tid: event.pid,
                pid,
                place: nth - 1,
                until,
            });
        }
        Ok(answer.next)
    }

    /// Answers an event, or does not, as the policy has it.
    fn answer(&mut self, file: &OwnedFd, pid: i32, path: &str, act: Option<Act>) -> Result<Answer> {
        let mut answer = Answer {
            denied: None,
            put_off: None,
            next: Next::Event,
        };
        match act {
            None => self.group.allow(file.as_fd())?,
            Some(deny @ (Act::Deny | Act::File)) => {
                self.group.deny(file.as_fd(), None)?;
                if deny == Act::File {
                    self.refused = Some(path.to_owned());
                }
                answer.denied = Some(format!("{:?}", Errno::EPERM));
            }
            Some(Act::Errno(errno)) => {
                self.group.deny(file.as_fd(), Some(errno))?;
                answer.denied = Some(format!("{:?}", Errno::from_raw(errno)));
            }
            Some(Act::Die) => answer.next = Next::Death,
            Some(Act::Kill) => {
                self.kill(pid)?;
                self.group.allow(file.as_fd())?;
            }
            Some(Act::Signal(number)) => {
                signal(pid, Signal::try_from(number).context("no such signal")?)?;
                self.group.allow(file.as_fd())?;
            }
            Some(Act::Late(until)) => {
                signal(pid, Signal::SIGUSR1)?;
                answer.put_off = Some(until);
            }
        }
        Ok(answer)
    }

    /// Looks again at who has waited for this event, and lets it go.
    fn answer_late(&mut self) -> Result<()> {
        let number = self.sightings.len() + 1;
        let Some(late) = self.late.take_if(|late| late.until == number) else {
            return Ok(());
        };
        let later = Process::again(late.tid, late.pid);
        // It is taken, whatever has become of who waited: an error would be one of ours.
        self.group.allow(late.file.as_fd())?;
        if let Some(sighting) = self.sightings.get_mut(late.place) {
            sighting.later = Some(later);
        }
        Ok(())
    }

    /// The process of a thread, whose id an event carries; a leader that was seen is one.
    fn process_of(&self, tid: i32) -> i32 {
        match self.parents.contains_key(&tid) {
            true => tid,
            false => process_of(tid).unwrap_or(tid),
        }
    }

    /// Lets the other observers look at the process that is held; one that fails is not asked
    /// again.
    fn look(&mut self, event: Held<'_>) {
        let failed = &mut self.failed;
        self.hooks.retain_mut(|hook| match hook.call.held(event) {
            Ok(()) => true,
            Err(error) => {
                failed.push((hook.observer.to_owned(), format!("{error:#}")));
                false
            }
        });
    }

    /// Kills a process that waits for our answer, and waits until it has ended.
    fn kill(&self, pid: i32) -> Result<()> {
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL)
            .context("failed to kill a process that waits")?;
        let Some(fd) = self.alive.get(&pid) else {
            return Ok(());
        };
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        while let Err(errno) = nix::poll::poll(&mut fds, PollTimeout::NONE) {
            if errno != Errno::EINTR {
                return Err(errno).context("failed to wait for a killed process");
            }
        }
        Ok(())
    }

    /// Remembers a process at its first event: its end, and who its ancestors are.
    fn meet(&mut self, pid: i32, ppid: i32) -> Result<()> {
        if pid <= 0 || self.parents.contains_key(&pid) {
            return Ok(());
        }
        self.parents.insert(pid, ppid);
        if let Some(fd) = still_alive(sys::pidfd_open(pid))? {
            self.alive.insert(pid, fd);
        }
        let mut ancestor = ppid;
        while ancestor > 2 && !self.parents.contains_key(&ancestor) {
            let Some(next) = Parent::of(ancestor) else {
                break;
            };
            self.parents.insert(ancestor, next);
            ancestor = next;
        }
        Ok(())
    }

    fn report(self, link: &Link) -> Result<()> {
        // Close the group first: that releases any process still blocked.
        let Watch {
            group,
            parents,
            sightings,
            beyond,
            failed,
            quiet_opens,
            ..
        } = self;
        drop(group);
        if beyond > 0 {
            let all = sightings.len() + beyond;
            bail!("there were {all} events, and a trail has {LONGEST} steps at the most");
        }
        tell(&sightings, &parents, failed, quiet_opens, link)
    }

    /// Says what was seen so far, with the group still open.
    fn tell(&self, link: &Link) -> Result<()> {
        let failed = self.failed.clone();
        tell(
            &self.sightings,
            &self.parents,
            failed,
            self.quiet_opens,
            link,
        )
    }
}

fn signal(pid: i32, signal: Signal) -> Result<()> {
    nix::sys::signal::kill(Pid::from_raw(pid), signal)
        .context("failed to signal a process that waits")
}

/// The pidfd of a process; none where there is no end to wait for: it was killed while it waited. Its number may still be
/// that of its group or session (EINVAL, later ENOENT; `pidfd_prepare` in kernel/fork.c).
fn still_alive(opened: nix::Result<OwnedFd>) -> Result<Option<OwnedFd>> {
    match opened {
        Err(Errno::ESRCH | Errno::EINVAL | Errno::ENOENT) => Ok(None),
        opened => opened
            .map(Some)
            .context("failed to wait for the end of a process"),
    }
}

fn tell(
    sightings: &[Sighting],
    parents: &BTreeMap<i32, i32>,
    failed: Vec<(String, String)>,
    quiet: u64,
    link: &Link,
) -> Result<()> {
    for sighting in sightings {
        link.send(&MonitorReport::Saw(sighting.clone()))
            .context("failed to report")?;
    }
    let parents = parents.iter().map(|(child, parent)| (*child, *parent));
    link.send(&MonitorReport::Disarmed {
        parents: parents.collect(),
        failed,
        quiet,
    })
    .context("failed to report")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_not_taken_for_dead_for_want_of_a_descriptor() {
        assert!(still_alive(Err(Errno::ESRCH)).unwrap().is_none());
        let error = still_alive(Err(Errno::EMFILE)).unwrap_err();
        assert!(format!("{error:#}").contains("EMFILE"), "{error:#}");
    }
}
