//! The runner's end of the monitor process.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::watch;
use crate::observer::stages::Marker;
use crate::observer::{Observation, Observer, Sight};
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
    /// Stop for ever: a fault for the tests.
    Hang,
}

/// What the monitor says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It watches.
    Armed,
    /// It saw this.
    Saw(Sighting),
    /// It watches no more.
    Disarmed { parents: Vec<(i32, i32)> },
    /// It cannot go on.
    Failed(String),
}

/// A monitor process; killed when dropped, which lets everybody go who waits for it.
#[derive(Debug)]
pub struct Monitor {
    pid: Pid,
    link: Link,
    paths: Vec<PathBuf>,
    policy: Option<Policy>,
    helper: Option<String>,
}

impl Monitor {
    /// Forks the monitor; it will watch the file systems that these paths are on, and write each
    /// step into the kernel's trace where it is given a marker.
    ///
    /// # Errors
    ///
    /// What fork(2) or socketpair(2) says.
    pub fn start(
        paths: &[PathBuf],
        policy: Option<Policy>,
        marker: Option<Marker>,
    ) -> Result<Monitor> {
        let (ours, theirs) = Link::pair().context("failed to make the monitor's link")?;
        match sys::fork().context("failed to fork the monitor")? {
            ForkResult::Child => {
                drop(ours);
                // Only for whoever looks at the process list.
                let _ = nix::sys::prctl::set_name(c"monitor");
                watch::serve(theirs, marker);
                sys::exit_now(0);
            }
            ForkResult::Parent { child } => Ok(Monitor {
                pid: child,
                link: ours,
                paths: paths.to_vec(),
                policy,
                helper: None,
            }),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The watch is to end only when this helper of the kernel was seen and has ended.
    pub fn wait_for(&mut self, helper: Option<String>) {
        self.helper = helper;
    }

    /// Makes it stop for ever with its group open: a fault for the tests.
    ///
    /// # Errors
    ///
    /// The monitor is gone.
    pub fn hang(&self) -> Result<()> {
        self.link
            .send(&Order::Hang)
            .context("failed to reach the monitor")
    }
}

impl Observer for Monitor {
    fn name(&self) -> &'static str {
        "fanotify"
    }

    fn sight(&self) -> Sight {
        Sight::Held
    }

    fn arm(&mut self, deadline: Instant) -> Result<()> {
        let order = Order::Arm {
            paths: self.paths.clone(),
            policy: self.policy,
        };
        self.link
            .send(&order)
            .context("failed to reach the monitor")?;
        match self
            .link
            .receive(deadline)
            .context("the monitor does not answer")?
        {
            Report::Armed => Ok(()),
            Report::Failed(reason) => bail!("{reason}"),
            other => bail!("the monitor said {other:?} instead of being armed"),
        }
    }

    fn disarm(&mut self, deadline: Instant) -> Result<Observation> {
        let dies = self.policy.is_some_and(|policy| policy.act == Act::Die);
        // One that was to die has said everything before, and hears nothing any more.
        if !dies {
            let helper = self.helper.take();
            self.link
                .send(&Order::Disarm { helper })
                .context("failed to reach the monitor")?;
        }
        let mut seen = Observation::default();
        loop {
            let report = self
                .link
                .receive(deadline)
                .context("a process that was seen does not end, or the monitor does not answer")?;
            match report {
                Report::Saw(sighting) => seen.sightings.push(sighting),
                Report::Disarmed { parents } => {
                    seen.parents = parents;
                    return Ok(seen);
                }
                Report::Failed(reason) => bail!("{reason}"),
                Report::Armed => bail!("the monitor was armed twice"),
            }
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // It is our child and not reaped yet, so the id is its own; both may only fail when it is
        // gone already.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}
