//! What is said at the end.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// Numbers of one watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Events that were answered.
    pub events: u64,
    /// Processes that they came from.
    pub processes: u64,
    /// Lines that were written.
    pub shown: u64,
    /// Lines that were not: the output was too slow, full or gone.
    pub lost: u64,
    /// Events that the kernel could not hand over, such as for want of a descriptor.
    pub unread: u64,
    /// Longest hold, in microseconds; `docs/monitor.md` says from when to when.
    pub longest_hold_us: u64,
}

impl Summary {
    /// Notes how long a process was held.
    pub fn held(&mut self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.longest_hold_us = self.longest_hold_us.max(time);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            events,
            processes,
            shown,
            lost,
            unread,
            longest_hold_us,
        } = self;
        let micros = Duration::from_micros(*longest_hold_us);
        write!(
            f,
            "{} of {}, {shown} shown, {} lost, longest hold {micros:?}",
            counted(*events, "event", "events"),
            counted(*processes, "process", "processes"),
            counted(*lost, "line", "lines"),
        )?;
        match unread {
            0 => Ok(()),
            unread => {
                let unread = counted(*unread, "event", "events");
                write!(f, ", {unread} that the kernel could not hand over")
            }
        }
    }
}

/// A number with its word.
pub fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_hold_is_kept() {
        let mut summary = Summary::default();
        for micros in [3, 7, 5] {
            summary.held(Duration::from_micros(micros));
        }
        assert_eq!(summary.longest_hold_us, 7);
    }

    #[test]
    fn a_watch_is_summed_up_in_a_sentence() {
        let summary = Summary {
            events: 8,
            processes: 2,
            shown: 7,
            lost: 1,
            unread: 0,
            longest_hold_us: 1200,
        };
        let text = "8 events of 2 processes, 7 shown, 1 line lost, longest hold 1.2ms";
        assert_eq!(summary.to_string(), text);
        let summary = Summary {
            unread: 1,
            ..summary
        };
        let more = ", 1 event that the kernel could not hand over";
        assert_eq!(summary.to_string(), format!("{text}{more}"));
    }
}
