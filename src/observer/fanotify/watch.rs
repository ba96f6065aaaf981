//! The loop of the monitor process: hold, look, answer, and only then write down.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::monitor::{Order, Report};
use super::{Event, Group, Ids, Parent, Process};
use crate::sys;
use crate::trail::{Sighting, printable};
use crate::wire::{Link, LinkError};

/// The state of a watch.
struct Watch {
    group: Group,
    /// Processes that were seen and have not ended, by pid.
    alive: BTreeMap<i32, OwnedFd>,
    parents: BTreeMap<i32, i32>,
    sightings: Vec<Sighting>,
}

/// Serves orders until the link is closed; errors go to the other side as a report.
pub fn serve(mut link: Link) {
    if let Err(error) = obey(&mut link) {
        // Whoever reads this may be gone as well; then nobody misses it.
        let _ = link.send(&Report::Failed(format!("{error:#}")));
    }
}

fn obey(link: &mut Link) -> Result<()> {
    let mut watch: Option<Watch> = None;
    let mut disarming = false;
    loop {
        if disarming && watch.as_ref().is_some_and(|watch| watch.alive.is_empty()) {
            if let Some(watch) = watch.take() {
                watch.report(link)?;
            }
            disarming = false;
        }
        let wake = wait(link, watch.as_ref())?;
        if let Some(watch) = &mut watch {
            watch.alive.retain(|pid, _| !wake.ended.contains(pid));
            for event in watch.group.read()? {
                watch.serve(event)?;
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
                    Order::Arm { path } => {
                        watch = Some(Watch::new(Path::new(&path))?);
                        link.send(&Report::Armed).context("failed to report")?;
                    }
                    Order::Disarm => disarming = true,
                    Order::Hang => loop {
                        nix::unistd::pause();
                    },
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
    fn new(path: &Path) -> Result<Watch> {
        let group = Group::new(Ids::Process)?;
        group.watch_filesystem(path)?;
        Ok(Watch {
            group,
            alive: BTreeMap::new(),
            parents: BTreeMap::new(),
            sightings: Vec::new(),
        })
    }

    /// Looks at the process while it is held, then lets it go.
    fn serve(&mut self, event: Event) -> Result<()> {
        if event.fd < 0 {
            bail!("the event queue has overflowed: events were lost");
        }
        let file = sys::adopt_fd(event.fd);
        let process = Process::read(event.pid);
        let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        self.meet(event.pid, process.ppid);
        self.group.allow(file.as_fd())?;
        let path = path.context("failed to read the path of an event")?;
        self.sightings.push(Sighting {
            mask: event.mask,
            pid: event.pid,
            ppid: process.ppid,
            exe: process.exe,
            comm: process.comm,
            path: printable(path.as_os_str().as_bytes()),
        });
        Ok(())
    }

    /// Remembers a process at its first event: its end, and who its ancestors are.
    fn meet(&mut self, pid: i32, ppid: i32) {
        if pid <= 0 || self.parents.contains_key(&pid) {
            return;
        }
        self.parents.insert(pid, ppid);
        // No such process: it was killed while it waited, and there is no end to wait for.
        if let Ok(fd) = sys::pidfd_open(pid) {
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
    }

    fn report(self, link: &Link) -> Result<()> {
        let Watch {
            group,
            parents,
            sightings,
            ..
        } = self;
        drop(group);
        for sighting in sightings {
            link.send(&Report::Saw(sighting))
                .context("failed to report")?;
        }
        let parents = parents.into_iter().collect();
        link.send(&Report::Disarmed { parents })
            .context("failed to report")
    }
}
