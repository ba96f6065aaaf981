//! The process that starts an agent and outlives it, from the runner's side.
//!
//! It is the subreaper of everything that the agent starts: who is below it is the agent's. What it does is
//! [`listener`](super::listener).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::KEEPER;
use super::heard::Until;
use super::listener::{children, listen};
use crate::sys::{self, ForkResult};
use crate::wire::{AgentCommand, Link};

/// What the keeper is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub until: Until,
    pub millis: u64,
}

/// What was heard since the last time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Words {
    /// The lines of its standard output.
    pub lines: Vec<String>,
    /// The last lines of both outputs, for a person.
    pub last: Vec<String>,
    /// How it ended, in words that follow its name; none while it lives.
    pub end: Option<String>,
    /// Whether what was waited for has come.
    pub came: bool,
    /// How long it has said nothing on its standard output; none where it said nothing in this time.
    pub silent_ms: Option<u64>,
    /// What it wrote to standard error, a line each, the last ones.
    pub errors: Vec<String>,
}

/// A keeper with its agent; both are killed when it is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    pid: Pid,
    link: Link,
}

impl Keeper {
    /// Starts the keeper, which starts the agent.
    ///
    /// # Errors
    ///
    /// What fork(2) or socketpair(2) says; that the agent cannot be started is heard later.
    pub fn start(brought: &AgentCommand) -> Result<Keeper> {
        let (ours, theirs) = Link::pair().context("failed to make the link of the keeper")?;
        match sys::fork().context("failed to fork the keeper")? {
            ForkResult::Child => {
                drop(ours);
                let _ = nix::sys::prctl::set_name(c"agent-keeper");
                listen(theirs, brought);
                sys::exit_now(0);
            }
            ForkResult::Parent { child } => Ok(Keeper {
                pid: child,
                link: ours,
            }),
        }
    }

    /// Its process, below which everything of the agent's is.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// What the agent has said since the last time, and says until then.
    ///
    /// # Errors
    ///
    /// The keeper does not answer.
    pub fn hear(&mut self, until: Until, limit: Duration) -> Result<Words> {
        ask(&mut self.link, &until, limit)
    }
}

fn ask(link: &mut Link, until: &Until, limit: Duration) -> Result<Words> {
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let until = until.clone();
    let sent = link.send(&Order { until, millis });
    // One that has ended says before why.
    match (link.receive(Instant::now() + limit + KEEPER), sent) {
        (Ok(heard), _) => Ok(heard),
        (Err(_), Err(error)) => Err(error).context("failed to reach the keeper of the agent"),
        (Err(error), Ok(())) => Err(error).context("the keeper of the agent does not answer"),
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Whatever it started would go on beside the scenarios, and be taken for a part of one.
        for child in children(self.pid) {
            // One that leads no group any more has none to be killed.
            let _ = killpg(child, Signal::SIGKILL);
        }
        // It is our child and not reaped yet; both may only fail when it is gone already.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_that_has_ended_is_heard_with_its_reason() {
        let (mut ours, theirs) = Link::pair().unwrap();
        let end = Some("is not heard any more: no bash".to_owned());
        let said = Words {
            end: end.clone(),
            ..Words::default()
        };
        theirs.send(&said).unwrap();
        drop(theirs);
        let heard = ask(&mut ours, &Until::Now, Duration::ZERO).unwrap();
        assert_eq!(heard.end, end);
    }
}
