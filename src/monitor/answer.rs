//! The thread that answers: reads an event, looks, answers, and only then thinks about lines.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::census::Census;
use super::look::Look;
use super::pulse::Life;
use super::queue::Inlet;
use super::rescue::Looking;
use super::tree::Tree;
use super::{Filter, Summary};
use crate::observer::fanotify::{AT_ONCE, FanEvent, Group, Ids};
use crate::proc::Stat;
use crate::sys;

/// How long events are waited for at once, so that the guard sees signs of life.
const TICK_MS: u8 = 100;
/// By how much such a wait may be late before it means that we stood still.
const LATE: Duration = Duration::from_millis(50);

/// Opens that the kernel denied because it could not hand their events out, for who tells of them.
#[derive(Debug, Default)]
pub struct Refusals {
    count: AtomicU64,
    errno: AtomicI32,
}

impl Refusals {
    fn note(&self, errno: i32) {
        self.errno.store(errno, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many, and why the last one.
    #[must_use]
    pub fn so_far(&self) -> (u64, Errno) {
        let errno = Errno::from_raw(self.errno.load(Ordering::Relaxed));
        (self.count.load(Ordering::Relaxed), errno)
    }
}

/// Everything that answering takes.
#[derive(Debug)]
pub struct Answerer {
    /// What is watched; dropped first, which releases everybody who waits.
    pub group: Group,
    /// Whether events carry thread ids.
    pub ids: Ids,
    /// The only tree that is shown.
    pub tree: Option<Tree>,
    /// What else is shown.
    pub filter: Filter,
    /// How many lines may still be shown.
    pub left: Option<u64>,
    /// Where looks go.
    pub inlet: Inlet,
    /// What the kernel denied.
    pub refusals: Arc<Refusals>,
    /// Whether it looks at a process.
    pub looking: Looking,
    /// Closed at its other end when the watch is to end.
    pub stop: OwnedFd,
    /// What is counted.
    pub summary: Summary,
    /// Who was seen.
    pub census: Census,
    /// When it was last known that nobody waits.
    pub idle: Instant,
    /// Dropped after the group: signs of life are missed until that is closed.
    pub life: Life,
}

impl Answerer {
    /// Answers until it is told to stop or has shown what it may show; what it did, and why it ended where the
    /// group cannot be read or written: then it is closed, and everybody goes on.
    pub fn run(mut self) -> (Summary, Result<()>) {
        let result = self.answer();
        self.summary.processes = self.census.count();
        (self.summary, result)
    }

    fn answer(&mut self) -> Result<()> {
        while self.left != Some(0) {
            let Some(since) = self.wait()? else {
                break;
            };
            let asked = Instant::now();
            let events = self.group.read_each()?;
            if events.len() < AT_ONCE {
                // All that there was; whoever came meanwhile came after this.
                self.idle = asked;
            }
            for event in events {
                self.serve(event, since)?;
            }
        }
        Ok(())
    }

    /// Waits for events: since when they may have waited for us, or none when it is time to stop.
    ///
    /// Events that are there already may have come at any time since nobody waited. Events that
    /// end a wait came just now, unless the wait took longer than it can: then we stood still.
    fn wait(&mut self) -> Result<Option<Instant>> {
        loop {
            let begun = Instant::now();
            self.life.beat(begun)?;
            match self.poll(PollTimeout::ZERO)? {
                Woken::Stop => return Ok(None),
                Woken::Events => return Ok(Some(self.idle)),
                Woken::Nothing => self.idle = begun,
            }
            let woken = self.poll(PollTimeout::from(TICK_MS))?;
            let now = Instant::now();
            let late = now - begun > Duration::from_millis(TICK_MS.into()) + LATE;
            match woken {
                Woken::Stop => return Ok(None),
                Woken::Events if late => return Ok(Some(self.idle)),
                Woken::Events => return Ok(Some(now)),
                Woken::Nothing => {}
            }
        }
    }

    fn poll(&self, time: PollTimeout) -> Result<Woken> {
        let mut fds = [
            PollFd::new(self.group.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
        ];
        match nix::poll::poll(&mut fds, time) {
            Ok(0) | Err(Errno::EINTR) => return Ok(Woken::Nothing),
            Ok(_) => {}
            Err(errno) => return Err(errno).context("failed to wait for events"),
        }
        let [_, stop] = fds.map(|fd| fd.any().unwrap_or(true));
        Ok(if stop { Woken::Stop } else { Woken::Events })
    }

    /// Answers one event, of somebody who may have waited since that time.
    fn serve(&mut self, event: FanEvent, since: Instant) -> Result<()> {
        if event.fd < 0 {
            // The kernel has denied that open: it could not open the file for us.
            self.summary.unread += 1;
            self.refusals.note(-event.fd);
            return Ok(());
        }
        let file = sys::adopt_fd(event.fd);
        self.looking.set(true);
        let look = Look::take(event, &file, self.ids);
        let inside = match &mut self.tree {
            Some(tree) => tree.holds((look.pid, look.start), look.ppid, &look_up),
            None => true,
        };
        self.looking.set(false);
        self.group.allow(file.as_fd())?;
        let now = Instant::now();
        self.summary.held(now - since);
        self.life.beat(now)?;
        self.looking.set(true);
        drop(file);
        self.summary.events += 1;
        self.census.meet(look.pid, look.start);
        if inside && self.left != Some(0) && self.filter.shows(&look) {
            self.left = self.left.map(|left| left - 1);
            self.inlet.offer(look);
        }
        if let Some(tree) = &mut self.tree {
            tree.tidy(&look_up);
        }
        self.looking.set(false);
        Ok(())
    }
}

/// What ended a wait.
enum Woken {
    Events,
    Stop,
    Nothing,
}

fn look_up(pid: i32) -> Option<(u64, i32)> {
    Stat::read(pid).map(|stat| (stat.start, stat.ppid))
}
