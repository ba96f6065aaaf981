//! Ctrl-C, told to everybody who waits; the second one ends everything at once.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals by which a user, a session or a service manager says that it is enough.
const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Signals that are no further apart than this are one wish: timeout(1) sends its signal to the
/// command, and at once to the group that the command is in.
const ONE_WISH: Duration = Duration::from_millis(100);

/// Becomes readable when the user wants to stop, and stays so: nobody reads it.
#[derive(Debug)]
pub struct Stop {
    reader: PipeReader,
    /// Nothing is written: that the writer is gone makes the pipe readable.
    writer: Writer,
}

type Writer = Arc<Mutex<Option<PipeWriter>>>;

impl Stop {
    /// Takes SIGINT, SIGTERM and SIGHUP; call it before any other thread is started.
    ///
    /// The first of them is told, and so are those that come with it; the next one has its usual
    /// effect, whatever we do then: QEMU and the native lab end with us. One that is ignored, as
    /// nohup(1) has it, stays so.
    ///
    /// # Errors
    ///
    /// No thread, no pipe or no descriptor for signals is to be had.
    pub fn listen() -> Result<Stop> {
        let (reader, writer) = std::io::pipe().context("failed to make a pipe")?;
        let mut signals = SigSet::empty();
        let ignored = ignored()?;
        for signal in SIGNALS {
            if ignored & (1 << (signal as i32 - 1)) == 0 {
                signals.add(signal);
            }
        }
        let block = || signals.thread_block();
        block().context("failed to block signals")?;
        let pending =
            SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC);
        let pending = pending.context("failed to make a descriptor for signals")?;
        let writer: Writer = Arc::new(Mutex::new(Some(writer)));
        let own = Arc::clone(&writer);
        let wait = move || {
            // Fails for signals alone that cannot be waited for.
            let _ = signals.wait();
            ask(&own);
            std::thread::sleep(ONE_WISH);
            while let Ok(Some(_)) = pending.read_signal() {}
            if let Ok(second) = signals.wait() {
                let _ = signals.thread_unblock();
                let _ = raise(second);
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(wait).context("failed to start a thread")?;
        Ok(Stop { reader, writer })
    }

    /// Ends everything as the user would, where to go on is of no use.
    pub fn ask(&self) {
        ask(&self.writer);
    }

    /// Whether the user wants to stop.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

fn ask(writer: &Writer) {
    // Nobody panics while he has it.
    if let Ok(mut writer) = writer.lock() {
        writer.take();
    }
}

/// The signals that this process ignores, a bit each (`SigIgn` of proc_pid_status(5)).
fn ignored() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("failed to read our status")?;
    mask(&status).context("our status has no SigIgn")
}

fn mask(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let digits = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_no_use_ends_without_a_signal() {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = Arc::new(Mutex::new(Some(writer)));
        let stop = Stop { reader, writer };
        assert!(!stop.is_asked_for());
        stop.ask();
        assert!(stop.is_asked_for());
    }

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "SigBlk:\t0000000000000002\nSigIgn:\t0000000000000001\n";
        assert_eq!(mask(status), Some(1));
    }
}
