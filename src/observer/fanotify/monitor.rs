//! The runner's end of the monitor process.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::watch;
use crate::observer::HeldHook;
use crate::sys::{self, ForkResult};
use crate::trail::Sighting;
use crate::wire::{Act, Link, Policy};

/// What the monitor is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Watch the file systems of these paths.
    Arm {
        paths: Vec<PathBuf>,
        policy: Option<Policy>,
    },
    /// End once every process that was seen has ended, and this helper was among them.
    Disarm { helper: Option<String> },
}

/// What the monitor says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum MonitorReport {
    /// It watches.
    Armed,
    /// It saw this.
    Saw(Sighting),
    /// It watches no more.
    Disarmed {
        parents: Vec<(i32, i32)>,
        /// Hooks that failed, with the reason.
        failed: Vec<(String, String)>,
    },
    /// It cannot go on.
    Failed(String),
}

/// A monitor process; killed when dropped, which releases everybody who waits for it.
#[derive(Debug)]
pub(super) struct Monitor {
    pid: Pid,
    link: Link,
    /// It ends by itself, without an answer.
    dies: bool,
    /// It has hooks, which are for one watch.
    hooked: bool,
}

impl Monitor {
    /// Forks the monitor, which watches nothing yet and calls the hooks at each event of its first
    /// watch.
    ///
    /// # Errors
    ///
    /// What fork(2) or socketpair(2) says.
    pub fn start(hooks: Vec<HeldHook>) -> Result<Monitor> {
        let (ours, theirs) = Link::pair().context("failed to make the monitor's link")?;
        let hooked = !hooks.is_empty();
        match sys::fork().context("failed to fork the monitor")? {
            ForkResult::Child => {
                drop(ours);
                // Only for whoever looks at the process list.
                let _ = nix::sys::prctl::set_name(c"monitor");
                watch::serve(theirs, hooks);
                sys::exit_now(0);
            }
            ForkResult::Parent { child } => Ok(Monitor {
                pid: child,
                link: ours,
                dies: false,
                hooked,
            }),
        }
    }

    /// Has it watch the file systems that these paths are on. When this returns, no event is missed.
    ///
    /// # Errors
    ///
    /// What fanotify(7) says, or no answer before the deadline.
    pub fn arm(
        &mut self,
        paths: &[PathBuf],
        policy: Option<Policy>,
        deadline: Instant,
    ) -> Result<()> {
        self.dies = policy.is_some_and(|policy| policy.act == Act::Die);
        let order = Order::Arm {
            paths: paths.to_vec(),
            policy,
        };
        let link = &mut self.link;
        link.send(&order).context("failed to reach the monitor")?;
        let report = link.receive(deadline);
        match report.context("the monitor does not answer")? {
            MonitorReport::Armed => Ok(()),
            MonitorReport::Failed(reason) => bail!("{reason}"),
            other => bail!("the monitor said {other:?} instead of being armed"),
        }
    }

    /// Whether it lives on and remembers nothing.
    pub fn can_begin_another(&self) -> bool {
        !self.dies && !self.hooked
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Ends the watch once every process that was seen has ended, this helper among them, and tells
    /// what was seen.
    ///
    /// # Errors
    ///
    /// Processes that still live at the deadline, or a monitor that failed.
    pub fn end(&mut self, helper: Option<String>, deadline: Instant) -> Result<Observation> {
        // One that was to die has said everything before, and hears nothing any more.
        if !self.dies {
            let order = Order::Disarm { helper };
            let sent = self.link.send(&order);
            sent.context("failed to reach the monitor")?;
        }
        let mut seen = Observation::default();
        loop {
            let report = self
                .link
                .receive(deadline)
                .context("a process that was seen does not end, or the monitor does not answer")?;
            match report {
                MonitorReport::Saw(sighting) => seen.sightings.push(sighting),
                MonitorReport::Disarmed { parents, failed } => {
                    (seen.parents, seen.failed) = (parents, failed);
                    return Ok(seen);
                }
                MonitorReport::Failed(reason) => bail!("{reason}"),
                MonitorReport::Armed => bail!("the monitor was armed twice"),
            }
        }
    }
}

/// What a monitor saw between arming and disarming.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// Steps in order.
    pub sightings: Vec<Sighting>,
    /// Each process with its parent, as far up as could be followed.
    pub parents: Vec<(i32, i32)>,
    /// Hooks that failed, with the reason.
    pub failed: Vec<(String, String)>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It is our child and not reaped yet, so the id is its own; both may only fail when it is
        // gone already.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}
