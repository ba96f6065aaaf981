//! A monitor that stands still inside the kernel, and when that is certain.
//!
//! It waits in state D, has not run since the look before, and nobody else can run either: a process that could wake it
//! has to run for that. Where somebody can (the running kernel of the host has others), it is certain only when the
//! scenario's time is over.

use std::time::{Duration, Instant};

use super::report;
use crate::proc::{self, Status};

/// How often one looks.
pub const LOOK: Duration = Duration::from_millis(100);
/// How long nobody else may have been runnable before the monitor counts as stuck; until then a timer or an interrupt may
/// wake it.
const LONG: Duration = Duration::from_secs(1);

/// Whether a scenario still has time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Its deadline has not come.
    Left,
    /// Its deadline has passed.
    Over,
}

/// What is seen in one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// Which one it is: a scenario may have several, one after the other.
    monitor: i32,
    /// It is in state D.
    waits: bool,
    /// How often it gave its CPU up.
    switches: Option<u64>,
    /// Somebody beside us can run.
    others: bool,
}

/// Since when nobody could run.
#[derive(Debug, Default)]
pub struct Still(Option<(Instant, Seen)>);

impl Still {
    /// Looks at a monitor; what it waits for, in words, when it is certain that it waits for ever.
    pub fn stands(&mut self, monitor: i32, time: Time) -> Option<String> {
        let seen = Seen::of(monitor);
        let certain = self.look(Instant::now(), seen) || (time == Time::Over && seen.waits);
        certain.then(|| told(&proc::text(format!("/proc/{monitor}/wchan")).unwrap_or_default()))
    }

    fn look(&mut self, now: Instant, seen: Seen) -> bool {
        match self.0 {
            _ if !seen.waits || seen.others => self.0 = None,
            Some((since, before)) if before == seen => return now - since >= LONG,
            _ => self.0 = Some((now, seen)),
        }
        false
    }
}

impl Seen {
    fn of(monitor: i32) -> Seen {
        let status = Status::read(monitor);
        let load = proc::text("/proc/loadavg").unwrap_or_default();
        Seen {
            monitor,
            waits: report::state(monitor) == "D",
            switches: status.and_then(|status| status.number("voluntary_ctxt_switches:", 0)),
            others: can_run(&load) != Some(1),
        }
    }
}

/// What is told of a listener that waits in this function of the kernel (proc_pid_wchan(5)); 0, or nothing, stands for one that
/// is not known.
fn told(function: &str) -> String {
    match function.trim() {
        "" | "0" => "monitor (D): the listener waits inside the kernel".to_owned(),
        function => format!("monitor (D) in {function}: the listener waits inside the kernel"),
    }
}

/// How many threads can run, in `/proc/loadavg`: the fourth word's first half (proc_loadavg(5)).
fn can_run(load: &str) -> Option<u64> {
    let word = load.split_ascii_whitespace().nth(3)?;
    word.split_once('/')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Seen = Seen {
        monitor: 101,
        waits: true,
        switches: Some(7),
        others: false,
    };

    /// Whether it is certain after a first look, and another one after that time.
    fn after(time: Duration, first: Seen, then: Seen) -> bool {
        let (mut still, begin) = (Still::default(), Instant::now());
        assert!(!still.look(begin, first), "one look is never certain");
        still.look(begin + time, then)
    }

    #[test]
    fn one_whom_nobody_can_wake_stands_still() {
        assert!(after(LONG, WAITING, WAITING));
    }

    #[test]
    fn a_moment_is_too_short() {
        assert!(!after(LOOK, WAITING, WAITING));
    }

    #[test]
    fn one_that_ran_in_between_does_not() {
        let ran = Seen {
            switches: Some(8),
            ..WAITING
        };
        assert!(!after(LONG, WAITING, ran));
    }

    #[test]
    fn another_one_is_looked_at_anew() {
        let another = Seen {
            monitor: 102,
            ..WAITING
        };
        assert!(!after(LONG, WAITING, another));
    }

    #[test]
    fn one_that_a_signal_wakes_does_not() {
        let sleeps = Seen {
            waits: false,
            ..WAITING
        };
        assert!(!after(LONG, sleeps, sleeps));
    }

    #[test]
    fn whoever_can_run_may_wake_it() {
        let others = Seen {
            others: true,
            ..WAITING
        };
        assert!(!after(LONG, others, others));
    }

    #[test]
    fn time_is_counted_from_when_nobody_could_run() {
        let (mut still, begin) = (Still::default(), Instant::now());
        still.look(begin, WAITING);
        still.look(
            begin + LOOK,
            Seen {
                others: true,
                ..WAITING
            },
        );
        assert!(!still.look(begin + LONG, WAITING));
    }

    #[test]
    fn where_it_waits_is_told_where_the_kernel_says_so() {
        let known = "monitor (D) in call_proc_get_link: the listener waits inside the kernel";
        assert_eq!(told("call_proc_get_link"), known);
        assert_eq!(
            told("0"),
            "monitor (D): the listener waits inside the kernel"
        );
    }

    #[test]
    fn we_ourselves_can_run() {
        assert_eq!(can_run("0.20 0.18 0.12 1/80 11206\n"), Some(1));
    }
}
