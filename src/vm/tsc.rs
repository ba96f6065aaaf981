//! How fast the time stamp counter of an emulated guest runs: as the host's, which QEMU hands on (`cpu_get_host_ticks`
//! in include/qemu/timer.h).
//!
//! A kernel that is not told measures it against the PIT: where `quick_pit_calibrate` fails it starts a countdown of
//! 10 ms, reads the counter, and reads it again when the countdown is over (`pit_calibrate_tsc` in
//! arch/x86/kernel/tsc.c). Where QEMU loses its CPU between start and first reading, most of the 10 ms may have passed by
//! then; what is left is 1,000 even readings or more, and taken for the whole.
//! The smallest of three results counts, against the HPET's, and the later one that would correct it is refused, being off
//! by more than 1 %. Such a clock runs up to 60 times too fast.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sys;

/// How long it is measured, at the least.
const SPAN: Duration = Duration::from_millis(2);

/// A reading between two of the clock that are further apart is none.
const NARROW: Duration = Duration::from_micros(4);

/// How often a narrow one is tried for.
const TRIES: usize = 1000;

/// The counter, and between which two times it stood there.
#[derive(Clone, Copy, Debug)]
struct Reading {
    counter: u64,
    after: Instant,
    before: Instant,
}

impl Reading {
    fn take() -> Reading {
        let after = Instant::now();
        let counter = sys::time_stamp();
        Reading {
            after,
            counter,
            before: Instant::now(),
        }
    }

    fn width(&self) -> Duration {
        self.before.duration_since(self.after)
    }

    /// One during which nobody took our CPU away; none where the clock takes as long to read.
    fn narrow(mut read: impl FnMut() -> Reading) -> Option<Reading> {
        let mut readings = (0..TRIES).map(|_| read());
        readings.find(|reading| reading.width() <= NARROW)
    }
}

/// The frequency in kHz, to a quarter of a percent or better, measured once; none where it cannot be.
#[must_use]
pub fn khz() -> Option<u64> {
    static KHZ: OnceLock<Option<u64>> = OnceLock::new();
    *KHZ.get_or_init(|| {
        // The first ones of all take longer.
        Reading::take();
        let first = Reading::narrow(Reading::take)?;
        std::thread::sleep(SPAN);
        between(first, Reading::narrow(Reading::take)?)
    })
}

/// Whether a guest whose kernel was told one frequency can live with the other: what the kernel itself lets pass
/// (`tsc_refine_calibration_work` in arch/x86/kernel/tsc.c). An unknown frequency is alike only to
/// another unknown one.
#[must_use]
pub fn is_alike(told: Option<u64>, now: Option<u64>) -> bool {
    match (told, now) {
        (Some(told), Some(now)) => told.abs_diff(now) <= told / 100,
        (told, now) => told == now,
    }
}

fn between(first: Reading, second: Reading) -> Option<u64> {
    let ticks = second.counter.checked_sub(first.counter)?;
    // From the middle of one to the middle of the other.
    let time =
        second.after.duration_since(first.after) + second.before.duration_since(first.before);
    let khz = u128::from(ticks) * 2_000_000 / time.as_nanos().max(1);
    u64::try_from(khz).ok().filter(|khz| *khz > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(counter: u64, after: Duration, before: Duration) -> Reading {
        static ZERO: OnceLock<Instant> = OnceLock::new();
        let zero = *ZERO.get_or_init(Instant::now);
        Reading {
            counter,
            after: zero + after,
            before: zero + before,
        }
    }

    #[test]
    fn a_frequency_is_ticks_by_time() {
        let (ms, us) = (Duration::from_millis, Duration::from_micros);
        let first = reading(1_000, ms(0), us(1));
        let second = reading(5_001_000, ms(2), ms(2) + us(1));
        assert_eq!(between(first, second), Some(2_500_000));
    }

    #[test]
    fn a_counter_that_goes_back_has_no_frequency() {
        let ms = Duration::from_millis;
        assert_eq!(
            between(reading(9, ms(0), ms(0)), reading(8, ms(1), ms(1))),
            None
        );
    }

    #[test]
    fn a_reading_in_which_the_cpu_was_taken_away_is_read_again() {
        let us = Duration::from_micros;
        let mut all = [
            reading(1, us(0), us(9_300)),
            reading(2, us(9_300), us(9_301)),
        ]
        .into_iter();
        let found = Reading::narrow(|| all.next().unwrap()).unwrap();
        assert_eq!(found.counter, 2);
    }

    #[test]
    fn a_clock_that_is_slow_to_read_measures_nothing() {
        let wide = reading(1, Duration::ZERO, Duration::from_millis(1));
        assert!(Reading::narrow(|| wide).is_none());
    }

    #[test]
    fn two_frequencies_are_alike_up_to_a_hundredth() {
        assert!(is_alike(Some(2_600_000), Some(2_626_000)));
        assert!(!is_alike(Some(2_600_000), Some(2_626_001)));
        assert!(!is_alike(Some(2_600_000), None));
        assert!(is_alike(None, None));
    }

    #[test]
    fn it_is_the_counter_of_this_machine() {
        let khz = khz().expect("it can be measured here");
        let first = Reading::narrow(Reading::take).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let expected = between(first, Reading::narrow(Reading::take).unwrap()).unwrap();
        assert!(is_alike(Some(expected), Some(khz)), "{khz}, {expected}");
    }
}
