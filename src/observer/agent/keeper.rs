//! The process that starts an agent and outlives it, from the runner's side.
//!
//! It is the subreaper of everything that the agent starts: who is below it is the agent's. What it does is
//! [`listener`](super::listener).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
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

    /// Whether nobody has ended it.
    pub fn is_there(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        waitid(Id::Pid(self.pid), look) == Ok(WaitStatus::StillAlive)
    }

    /// Executes programs of ours, and ends the agent when that takes longer than `limit`: PID 1 waits for each of
    /// them to come about, and an agent that answers permission events can refuse to let it.
    ///
    /// # Errors
    ///
    /// The agent was ended, or what `execute` says.
    pub fn while_let_go<T>(
        &self,
        limit: Duration,
        execute: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        match sys::fork().context("failed to fork the watchdog of the agent")? {
            ForkResult::Child => {
                std::thread::sleep(limit);
                end(self.pid);
                sys::exit_now(0);
            }
            ForkResult::Parent { child } => {
                let result = execute();
                // Neither can fail: it is our child, and nobody else reaps it.
                let _ = kill(child, Signal::SIGKILL);
                match waitpid(child, None) {
                    Ok(WaitStatus::Exited(..)) => bail!(
                        "the agent did not let a program of exetrail's own go on for {} s, and was ended",
                        limit.as_secs()
                    ),
                    _ => result,
                }
            }
        }
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

/// Kills a keeper and the agent below it.
fn end(keeper: Pid) {
    // Whatever it started would go on beside the scenarios, and be taken for a part of one.
    for child in children(keeper) {
        // One that leads no group any more has none to be killed.
        let _ = killpg(child, Signal::SIGKILL);
    }
    // It is PID 1's child, and not reaped yet.
    let _ = kill(keeper, Signal::SIGKILL);
}

impl Drop for Keeper {
    fn drop(&mut self) {
        end(self.pid);
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
