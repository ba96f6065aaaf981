//! The thread that lets everybody go when the answering one does not come back from a look.
//!
//! A lookup in `/proc/PID` takes the directory's lock, and no signal ends the wait for it (`lookup_slow` in fs/namei.c).
//! Whoever owns the process can have the lock held for ever: one thread is in getdents64(2) of the directory and in a fault that nobody
//! serves, of a file of FUSE for instance, and a second one in mkdir(2) below it. SIGKILL does not help
//! then. The group can be closed all the same, from here: the kernel answers everybody who waits with "allow".

use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::pulse::{Pulse, Stethoscope};
use crate::sys;

/// How often it looks.
const TICK: Duration = Duration::from_millis(200);
/// So many looks without a sign of life are a look that does not come back: 2 s, a second before the guard kills.
const SILENT: u32 = 10;

/// Why a watch ends that this thread has ended.
pub const REASON: &str = "/proc did not answer for 2 s, so that the monitor could not look at a process; everybody was let go";

/// Whether the answering thread looks at a process, in no call that has the group.
#[derive(Clone, Debug, Default)]
pub struct Looking(Arc<AtomicBool>);

impl Looking {
    /// It begins to, or ends.
    pub fn set(&self, looks: bool) {
        self.0.store(looks, Ordering::Relaxed);
    }
}

/// What this thread needs; it is made before anything is watched, and looks nothing up.
#[derive(Debug)]
pub struct Rescuer {
    group: RawFd,
    instead: OwnedFd,
    looking: Looking,
    pulse: Pulse,
    tick: Duration,
}

impl Rescuer {
    /// For the group of this number, which the answering thread owns.
    ///
    /// # Errors
    ///
    /// What open(2) says of the root.
    pub fn new(group: RawFd, looking: Looking, pulse: Pulse) -> Result<Rescuer> {
        // A descriptor of which read(2), write(2) and poll(2) want nothing to know: EBADF.
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let instead = open("/", flags, Mode::empty()).context("failed to open /")?;
        Ok(Rescuer {
            group,
            instead,
            looking,
            pulse,
            tick: TICK,
        })
    }

    /// Watches until the answering thread has ended, or everybody was let go.
    pub fn run(self) {
        let mut ear = Stethoscope::new(self.pulse);
        while !self.pulse.is_over() {
            std::thread::sleep(self.tick);
            let looking = self.looking.0.load(Ordering::Relaxed);
            if ear.listen() >= SILENT && looking {
                // The number stays taken, so that its owner closes nothing of somebody else's.
                if sys::place_fd(self.instead.as_fd(), self.group).is_ok() {
                    self.pulse.let_go();
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use nix::errno::Errno;
    use nix::unistd::pipe;

    use super::*;

    /// Whether the reading end of a pipe is closed by it.
    fn closes(looks: bool, ends: impl FnOnce(Pulse)) -> bool {
        let (reader, writer) = pipe().unwrap();
        let looking = Looking::default();
        looking.set(looks);
        let pulse = Pulse::new().unwrap();
        pulse.beat();
        let mut rescuer = Rescuer::new(reader.as_raw_fd(), looking, pulse).unwrap();
        rescuer.tick = Duration::from_millis(1);
        let thread = std::thread::spawn(|| rescuer.run());
        ends(pulse);
        thread.join().unwrap();
        // SIGPIPE is ignored in a test.
        nix::unistd::write(&writer, b"x") == Err(Errno::EPIPE)
    }

    #[test]
    fn the_group_is_closed_where_a_look_does_not_come_back() {
        assert!(closes(true, |_| {}));
    }

    #[test]
    fn a_watch_that_has_ended_is_left_alone() {
        assert!(!closes(false, |pulse| {
            std::thread::sleep(Duration::from_millis(50));
            drop(super::super::pulse::Life::begin(pulse).unwrap());
        }));
    }
}
