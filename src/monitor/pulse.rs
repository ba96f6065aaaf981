//! The signs of life by which the answering thread and the guard know of each other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::sys::{self, DeadMan};

/// Values of the counter that are no beats.
const NOT_YET: u32 = 0;
const OVER: u32 = u32::MAX;
const LET_GO: u32 = u32::MAX - 1;

/// When the kernel ends a monitor that stands still and has no guard either, in milliseconds: the
/// bound that `docs/monitor.md` states.
const DEADLINE_MS: i64 = 5000;
/// How often that is put off.
const PUT_OFF: Duration = Duration::from_millis(500);

/// A counter in memory that both processes share.
#[derive(Clone, Copy, Debug)]
pub struct Pulse(&'static AtomicU32);

impl Pulse {
    /// One that has not begun to beat; make it before the fork.
    ///
    /// # Errors
    ///
    /// What mmap(2) says.
    pub fn new() -> Result<Pulse> {
        let word = sys::shared_word().context("failed to map memory for the guard")?;
        word.store(NOT_YET, Ordering::Relaxed);
        Ok(Pulse(word))
    }

    /// One beat.
    pub fn beat(self) {
        let next = match self.0.load(Ordering::Relaxed) {
            OVER => 1,
            LET_GO => return,
            now if now + 1 == LET_GO => 1,
            now => now + 1,
        };
        self.0.store(next, Ordering::Relaxed);
    }

    /// No beat is to be expected any more.
    fn end(self) {
        self.0.store(OVER, Ordering::Relaxed);
    }

    /// Whether none is to be expected any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.0.load(Ordering::Relaxed) == OVER
    }

    /// Nobody waits for who beats, and it may not beat any more.
    pub fn let_go(self) {
        self.0.store(LET_GO, Ordering::Relaxed);
    }

    /// Whether that was said.
    #[must_use]
    pub fn is_let_go(self) -> bool {
        self.0.load(Ordering::Relaxed) == LET_GO
    }
}

/// Counts for how many looks in a row another process's pulse has stood still.
///
/// Looks are counted and not time: when both processes stood still, as a suspended machine makes
/// them, neither takes the other for dead.
#[derive(Debug)]
pub struct Stethoscope {
    pulse: Pulse,
    last: u32,
    silent: u32,
}

impl Stethoscope {
    /// Listens to a pulse.
    #[must_use]
    pub fn new(pulse: Pulse) -> Stethoscope {
        let last = NOT_YET;
        let silent = 0;
        Stethoscope {
            pulse,
            last,
            silent,
        }
    }

    /// The pulse that it listens to.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse
    }

    /// Looks once more; how many looks in a row there was no beat where one was to be expected.
    pub fn listen(&mut self) -> u32 {
        let now = self.pulse.0.load(Ordering::Relaxed);
        self.silent = match now {
            NOT_YET | OVER | LET_GO => 0,
            now if now == self.last => self.silent + 1,
            _ => 0,
        };
        self.last = now;
        self.silent
    }
}

/// Life of the answering thread: it beats, and puts off the timer that would kill it.
///
/// The timer is the kernel's: it fires also when this process and its guard were both stopped.
#[derive(Debug)]
pub struct Life {
    pulse: Pulse,
    timer: DeadMan,
    put_off: Instant,
}

impl Life {
    /// Begins to beat; to be called before the first mark.
    ///
    /// # Errors
    ///
    /// What timer_create(2) or timer_settime(2) says.
    pub fn begin(pulse: Pulse) -> Result<Life> {
        let timer = DeadMan::new().context("failed to make the timer of last resort")?;
        timer
            .put_off(DEADLINE_MS)
            .context("failed to set the timer of last resort")?;
        pulse.beat();
        let put_off = Instant::now();
        Ok(Life {
            pulse,
            timer,
            put_off,
        })
    }

    /// One beat, at this time.
    ///
    /// # Errors
    ///
    /// What timer_settime(2) says.
    pub fn beat(&mut self, now: Instant) -> Result<()> {
        self.pulse.beat();
        if now.duration_since(self.put_off) >= PUT_OFF {
            self.put_off = now;
            let set = self.timer.put_off(DEADLINE_MS);
            set.context("failed to put off the timer of last resort")?;
        }
        Ok(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.pulse.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pulse_that_has_begun_can_be_missed() {
        let pulse = Pulse::new().unwrap();
        let mut ear = Stethoscope::new(pulse);
        assert_eq!((ear.listen(), ear.listen()), (0, 0));
        pulse.beat();
        assert_eq!((ear.listen(), ear.listen(), ear.listen()), (0, 1, 2));
        pulse.beat();
        assert_eq!(ear.listen(), 0);
    }

    #[test]
    fn a_pulse_that_is_over_is_not_missed() {
        let pulse = Pulse::new().unwrap();
        let mut ear = Stethoscope::new(pulse);
        drop(Life::begin(pulse).unwrap());
        assert_eq!((ear.listen(), ear.listen()), (0, 0));
    }

    #[test]
    fn a_count_that_wraps_is_still_a_beat() {
        let pulse = Pulse::new().unwrap();
        pulse.0.store(LET_GO - 1, Ordering::Relaxed);
        pulse.beat();
        assert_eq!(pulse.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_was_let_go_does_not_beat_and_is_not_missed() {
        let pulse = Pulse::new().unwrap();
        let mut ear = Stethoscope::new(pulse);
        pulse.let_go();
        pulse.beat();
        assert!(pulse.is_let_go());
        assert_eq!((ear.listen(), ear.listen()), (0, 0));
    }
}
