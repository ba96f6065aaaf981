//! Between the thread that answers and the one that writes: bounded, and never waited for by the one that answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use super::look::Look;

/// How much may wait: so many looks, and so many bytes of them.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Looks.
    pub looks: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Default for Bounds {
    /// A second's worth of a very busy machine.
    fn default() -> Bounds {
        Bounds {
            looks: 1 << 16,
            bytes: 32 << 20,
        }
    }
}

/// What is known of the way from looks to lines.
#[derive(Debug, Default)]
pub struct Account {
    /// Looks that found a place.
    accepted: AtomicU64,
    /// Looks that found none.
    refused: AtomicU64,
    /// Lines that were written in full.
    written: AtomicU64,
    /// Lines that the writer gave up.
    failed: AtomicU64,
    /// Bytes that wait.
    waiting: AtomicUsize,
}

impl Account {
    /// Notes lines that were written in full.
    pub fn wrote(&self, lines: u64) {
        self.written.fetch_add(lines, Ordering::Relaxed);
    }

    /// Notes lines that could not be written.
    pub fn gave_up(&self, lines: u64) {
        self.failed.fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Lines that the writer gave up.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Looks that found no place.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lines that were lost, once nothing will be written any more: also those that still wait.
    #[must_use]
    pub fn lost_at_the_end(&self) -> u64 {
        let all = self.accepted.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed);
        all.saturating_sub(self.written())
    }
}

/// A look on its way.
#[derive(Debug)]
pub struct Queued {
    /// The look.
    pub look: Look,
    /// How many before it found no place.
    pub refused: u64,
}

/// The end of the thread that answers.
#[derive(Debug)]
pub struct Inlet {
    sender: SyncSender<Queued>,
    account: Arc<Account>,
    bytes: usize,
}

/// The end of the thread that writes.
#[derive(Debug)]
pub struct Outlet {
    receiver: Receiver<Queued>,
    account: Arc<Account>,
}

/// Makes a queue and its account.
#[must_use]
pub fn queue(bounds: Bounds) -> (Inlet, Outlet, Arc<Account>) {
    let (sender, receiver) = mpsc::sync_channel(bounds.looks);
    let account = Arc::new(Account::default());
    let inlet = Inlet {
        sender,
        account: Arc::clone(&account),
        bytes: bounds.bytes,
    };
    let outlet = Outlet {
        receiver,
        account: Arc::clone(&account),
    };
    (inlet, outlet, account)
}

impl Inlet {
    /// Hands a look over, or counts it as lost; returns at once either way.
    pub fn offer(&self, look: Look) {
        let size = look.size();
        let waiting = self.account.waiting.fetch_add(size, Ordering::Relaxed);
        let refused = self.account.refused();
        let queued = Queued { look, refused };
        let fits = waiting + size <= self.bytes && self.sender.try_send(queued).is_ok();
        let counter = if fits {
            &self.account.accepted
        } else {
            self.account.waiting.fetch_sub(size, Ordering::Relaxed);
            &self.account.refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Outlet {
    /// Waits for a look; none when the other end is gone and everything was taken.
    #[must_use]
    pub fn wait(&self) -> Option<Queued> {
        self.receiver.recv().ok().map(|queued| self.taken(queued))
    }

    /// A look that is there already.
    #[must_use]
    pub fn next(&self) -> Option<Queued> {
        let queued = self.receiver.try_recv().ok();
        queued.map(|queued| self.taken(queued))
    }

    /// Lets looks gather: a thread that is not waiting need not be woken for each of them.
    pub fn gather(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn taken(&self, queued: Queued) -> Queued {
        let size = queued.look.size();
        self.account.waiting.fetch_sub(size, Ordering::Relaxed);
        queued
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::monitor::look::{OpenName, Who};
    use crate::trail::Mask;

    fn look(path: &str) -> Look {
        Look {
            time: SystemTime::UNIX_EPOCH,
            mask: Mask::OPEN,
            pid: 1,
            tid: None,
            ppid: 0,
            start: 0,
            who: Who::Dead,
            comm: Vec::new(),
            path: OpenName::Path(path.into()),
        }
    }

    fn small(looks: usize, bytes: usize) -> (Inlet, Outlet, Arc<Account>) {
        queue(Bounds { looks, bytes })
    }

    #[test]
    fn what_does_not_fit_is_lost_and_counted() {
        let (inlet, outlet, account) = small(2, 1 << 20);
        for path in ["a", "b", "c"] {
            inlet.offer(look(path));
        }
        assert_eq!(account.refused(), 1);
        assert_eq!(
            outlet.next().unwrap().look.path,
            OpenName::Path(b"a".to_vec())
        );
    }

    #[test]
    fn long_paths_are_bounded_by_their_bytes() {
        let size = look(&"x".repeat(1000)).size();
        let (inlet, outlet, account) = small(100, size * 2);
        for _ in 0..3 {
            inlet.offer(look(&"x".repeat(1000)));
        }
        assert_eq!(account.refused(), 1);
        assert!(outlet.next().is_some());
        inlet.offer(look(&"x".repeat(1000)));
        assert_eq!(account.refused(), 1);
    }

    #[test]
    fn what_still_waits_at_the_end_is_lost_as_well() {
        let (inlet, outlet, account) = small(8, 1 << 20);
        inlet.offer(look("a"));
        inlet.offer(look("b"));
        let _ = outlet.next();
        account.wrote(1);
        assert_eq!((account.refused(), account.lost_at_the_end()), (0, 1));
    }

    #[test]
    fn everything_is_taken_before_the_end_is_told() {
        let (inlet, outlet, _) = small(8, 1 << 20);
        inlet.offer(look("a"));
        drop(inlet);
        assert!(outlet.wait().is_some());
        assert!(outlet.wait().is_none());
    }

    #[test]
    fn a_writer_that_is_gone_makes_everything_lost() {
        let (inlet, outlet, account) = small(8, 1 << 20);
        drop(outlet);
        inlet.offer(look("a"));
        assert_eq!(account.refused(), 1);
    }
}
