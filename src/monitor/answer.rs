//! The thread that answers: reads an event, looks, answers, and only then thinks about lines.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::census::Census;
use super::look::Look;
use super::queue::Inlet;
use super::tree::Tree;
use super::{Filter, Summary};
use crate::observer::fanotify::{Event, Group, Ids, Stat};
use crate::sys;

/// Since when a process is being held, for whoever watches over us.
#[derive(Debug)]
pub struct Hold {
    epoch: Instant,
    /// Microseconds since the epoch, plus one; 0 while nobody is held.
    since: AtomicU64,
}

impl Hold {
    /// Nobody is held.
    #[must_use]
    pub fn new() -> Arc<Hold> {
        Arc::new(Hold {
            epoch: Instant::now(),
            since: AtomicU64::new(0),
        })
    }

    /// How long the process that is held now has been held.
    #[must_use]
    pub fn time(&self) -> Duration {
        match self.since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => self
                .epoch
                .elapsed()
                .saturating_sub(Duration::from_micros(since - 1)),
        }
    }

    fn begin(&self, now: Instant) {
        let since = now.duration_since(self.epoch).as_micros();
        let since = u64::try_from(since).unwrap_or(u64::MAX - 1) + 1;
        self.since.store(since, Ordering::Relaxed);
    }

    fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }
}

/// Everything that answering takes.
#[derive(Debug)]
pub struct Answerer {
    /// What is watched; dropped first, which lets everybody go.
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
    /// For the one who watches over us.
    pub hold: Arc<Hold>,
    /// Closed at its other end when the watch is to end.
    pub stop: OwnedFd,
    /// What is counted.
    pub summary: Summary,
    /// Who was seen.
    pub census: Census,
}

impl Answerer {
    /// Answers until it is told to stop or has shown what it may show.
    ///
    /// # Errors
    ///
    /// The group cannot be read or written; then it is closed, and everybody goes on.
    pub fn run(mut self) -> Result<Summary> {
        while self.left != Some(0) && self.wait()? {
            // From here on somebody waits for us, also while read(2) does not return.
            let read = Instant::now();
            self.hold.begin(read);
            let events = match self.group.read() {
                Ok(events) if events.is_empty() => {
                    // Readable, and nothing to read: that open was denied, because the file could not
                    // be opened for us without waiting.
                    self.summary.unread += 1;
                    self.hold.end();
                    continue;
                }
                Ok(events) => events,
                Err(error) if is_one_events_own(&error) => {
                    // The kernel has denied that open: it could not make us a descriptor.
                    self.summary.unread += 1;
                    self.hold.end();
                    continue;
                }
                Err(error) => return Err(error),
            };
            for event in events {
                self.serve(event, read)?;
            }
            self.hold.end();
        }
        self.summary.processes = self.census.count();
        Ok(self.summary)
    }

    /// Waits for events; false when it is time to stop.
    fn wait(&self) -> Result<bool> {
        let mut fds = [
            PollFd::new(self.group.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
        ];
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("failed to wait for events"),
        }
        let [_, stop] = fds.map(|fd| fd.any().unwrap_or(true));
        Ok(!stop)
    }

    fn serve(&mut self, event: Event, read: Instant) -> Result<()> {
        if event.fd < 0 {
            self.summary.unread += 1;
            return Ok(());
        }
        let file = sys::adopt_fd(event.fd);
        let look = Look::take(event, &file, self.ids);
        let inside = match &mut self.tree {
            Some(tree) => tree.holds((look.pid, look.start), look.ppid, &look_up),
            None => true,
        };
        self.group.allow(file.as_fd())?;
        self.summary.held(read.elapsed());
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
        Ok(())
    }
}

fn look_up(pid: i32) -> Option<(u64, i32)> {
    Stat::read(pid).map(|stat| (stat.start, stat.ppid))
}

/// Whether a read failed for one event alone; all others mean that the group is of no use.
fn is_one_events_own(error: &anyhow::Error) -> bool {
    let errno = error.downcast_ref::<Errno>();
    errno.is_some_and(|errno| !matches!(errno, Errno::EBADF | Errno::EINVAL | Errno::EFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_held_at_first() {
        assert_eq!(Hold::new().time(), Duration::ZERO);
    }

    #[test]
    fn a_hold_is_measured_until_it_ends() {
        let hold = Hold::new();
        hold.begin(hold.epoch);
        std::thread::yield_now();
        assert!(hold.time() > Duration::ZERO);
        hold.end();
        assert_eq!(hold.time(), Duration::ZERO);
    }

    #[test]
    fn an_event_without_a_descriptor_does_not_end_the_watch() {
        let error = |errno: Errno| anyhow::Error::from(errno).context("failed to read");
        assert!(is_one_events_own(&error(Errno::EMFILE)));
        assert!(!is_one_events_own(&error(Errno::EBADF)));
    }
}
