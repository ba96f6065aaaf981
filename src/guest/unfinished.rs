//! A scenario that does not end in its time.
//!
//! Of a user's own program what was seen until then is worth a look: its processes are killed, the launcher reaps them and
//! ends the watch as ever, and what that gives is sent beside the reason.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::report;
use crate::proc;
use crate::trail::Trail;
use crate::wire::LinkError;

/// How long the launcher may take to reap who was killed.
const LAST: Duration = Duration::from_secs(3);

/// What is wanted of a scenario that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// Why, and no more.
    Nothing,
    /// What was seen until then.
    Seen,
}

/// It did not end in its time.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unfinished {
    /// What is known of that.
    pub reason: String,
    /// What was seen until its processes were killed.
    pub seen: Trail,
}

/// A scenario that is being given up.
#[derive(Debug)]
pub struct Ending {
    launcher: i32,
    reason: String,
}

impl Ending {
    /// Kills everybody below the launcher; also says until when that is to have an effect.
    pub fn begin(launcher: Pid, reason: String) -> (Ending, Instant) {
        let ending = Ending {
            launcher: launcher.as_raw(),
            reason,
        };
        ending.go_on();
        (ending, Instant::now() + LAST)
    }

    /// Kills those as well who were born meanwhile.
    pub fn go_on(&self) {
        let family = proc::family(self.launcher).unwrap_or_default();
        for pid in family.into_iter().skip(1) {
            // It may be gone.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// What came of it, where there is a trail.
    pub fn with(self, seen: Trail) -> Unfinished {
        let reason = format!("{}; its processes were killed then", self.reason);
        Unfinished { reason, seen }
    }

    /// What is known where there is none.
    pub fn reason(self) -> String {
        self.reason
    }
}

/// What is known of a scenario of whose launcher nothing more is heard.
pub fn stood_still(time: Duration, error: &LinkError) -> String {
    let what = match error {
        LinkError::Deadline => format!(
            "the scenario stood still for {} s ({error})",
            time.as_secs()
        ),
        LinkError::Closed | LinkError::Cut(_) => {
            format!("the launcher has ended, and the scenario was not over ({error})")
        }
        LinkError::System(errno) => format!("the launcher's link failed: {errno}"),
        error => format!("the launcher's link failed: {error}"),
    };
    format!("{what}; still there: {}", report::living())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_that_was_killed_or_talks_nonsense_did_not_stand_still() {
        let said = |error| stood_still(Duration::from_secs(20), &error);
        assert!(said(LinkError::Deadline).contains("stood still for 20 s"));
        assert!(said(LinkError::Closed).starts_with("the launcher has ended"));
        assert!(said(LinkError::Endless).starts_with("the launcher's link failed: "));
    }
}
